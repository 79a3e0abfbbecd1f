"""Examinations of a model during its training."""

import keras
from runs import record


class Examination(keras.callbacks.Callback):
    """Callback that examines the model before the first update, then each `every` updates, and after the last one.

    For training in one epoch, as by `resuming.train`.

    Args:
        examine: Function of the model that returns the results, a dict.
        path: File of {update: results}; results of earlier parts of the run are kept.
        every: Updates between examinations.
        steps: Number of all updates.
    """

    def __init__(self, examine, path, every, steps):
        super().__init__()
        self.examine, self.path, self.every, self.steps = examine, path, every, steps
        self.done = 0  # updates of earlier runs

    def on_train_begin(self, logs=None):
        self.done = int(self.model.optimizer.iterations)
        if self.done == 0:
            self.record(0)

    def on_train_batch_end(self, batch, logs=None):
        # Counted here: reading the optimizer's count would wait for every batch on some backends.
        update = self.done + batch + 1
        if update % self.every == 0 or update == self.steps:
            self.record(update)

    def record(self, update):
        record(self.path, update, self.examine(self.model))
