"""The bar of a run that learns."""

import sys

import keras
import tqdm


class Progress(keras.callbacks.Callback):
    """A bar with what the last updates were like.

    Args:
        done: How many updates an earlier run has made.
        steps: How many there are to be in all.
        shown: Names of logged values and how they are shown: {"loss": "loss {:.3f}"}.
    """

    def __init__(self, done, steps, shown):
        super().__init__()
        self.done, self.steps, self.shown = done, steps, shown

    def on_train_begin(self, logs=None):
        # Where nobody watches (a log file), a line now and then is enough.
        pause = 0.5 if sys.stderr.isatty() else 15
        self.bar = tqdm.tqdm(
            initial=self.done, total=self.steps, unit=" updates", mininterval=pause, miniters=1, dynamic_ncols=True
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.done + batch + 1 - self.bar.n)
        if batch % 20 == 0 and logs:
            text = ", ".join(form.format(logs[name]) for name, form in self.shown.items())
            self.bar.set_postfix_str(text, refresh=False)
        if batch % 100 == 99:
            self.model.reset_metrics()

    def on_train_end(self, logs=None):
        self.bar.close()
