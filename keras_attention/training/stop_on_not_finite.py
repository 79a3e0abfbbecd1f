"""Stops a training whose losses are no numbers any more, and says where to go on."""

import keras
import numpy as np

from keras_attention.ops.require import require_int
from keras_attention.training.keep_last_checkpoints import KeepLastCheckpoints, last_good


class StopOnNotFinite(keras.callbacks.Callback):
    """Raises an error as soon as something that training reports is NaN or infinite.

    The error names what is not finite, the epoch and the batch, and the last checkpoint to go on from. Keras's own
    `TerminateOnNaN` looks at "loss" alone, and ends the run as if it were done.

    What is reported is a mean over the epoch so far: once NaN, it stays NaN until the epoch ends. So it is enough to
    look now and then (`every`), where waiting for each batch would cost time; `KeepLastCheckpoints` in the same run
    looks at the weights themselves before it saves them, so the last good checkpoint stays.

    Args:
        checkpoints: The run's `KeepLastCheckpoints`, or `None`.
        every: Positive int: look after every so many batches, and at the end of an epoch.

    Raises:
        ValueError: If an argument is out of its range.
        FloatingPointError: In training, as said.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> model.fit(np.array([[np.nan]]), np.ones((1, 1)), verbose=0, callbacks=[StopOnNotFinite()])
    Traceback (most recent call last):
    ...
    FloatingPointError: `loss` is nan after batch 1 of epoch 1: training has diverged...
    """

    def __init__(self, checkpoints=None, every=1):
        super().__init__()
        if checkpoints is not None and not isinstance(checkpoints, KeepLastCheckpoints):
            raise ValueError(f"`checkpoints` must be a `KeepLastCheckpoints` or None. Received: {checkpoints!r}")
        self.checkpoints = checkpoints
        self.every = require_int(every, "every")
        self._epoch = self._batch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._batch = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        looked, self._batch = self._batch, batch + 1
        if self._batch // self.every > looked // self.every:
            self._look(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._look(logs)

    def _look(self, logs):
        for name, value in (logs or {}).items():
            value = float(value)
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"`{name}` is {value} after batch {self._batch} of epoch {self._epoch + 1}: training has diverged. "
                    + last_good(self.checkpoints)
                )
