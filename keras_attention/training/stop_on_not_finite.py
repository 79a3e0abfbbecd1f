"""Callback that stops training at a NaN or infinite loss."""

from typing import Any

import keras
import numpy as np

from keras_attention.ops.require import require_int
from keras_attention.training.keep_last_checkpoints import KeepLastCheckpoints, last_good


class StopOnNotFinite(keras.callbacks.Callback):
    """Raises an error as soon as a loss or a metric is NaN or infinite.

    The error names the loss or metric, the epoch, the batch, and the last checkpoint to resume from. Keras's
    `TerminateOnNaN` checks "loss" alone, and ends the run without an error.

    Losses and metrics are means over the epoch so far: once NaN, they stay NaN until its end. So a check every few
    batches (`every`) is enough, where waiting for each batch would cost time. `KeepLastCheckpoints` checks the weights
    before it saves them, so that the last checkpoint is good.

    Args:
        checkpoints: The run's `KeepLastCheckpoints`, or `None`.
        every: Positive int, the interval of the checks in batches; the end of an epoch is always checked.

    Raises:
        ValueError: If an argument is out of its range.
        FloatingPointError: In training, if a loss or a metric is not finite.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> model.fit(np.array([[np.nan]]), np.ones((1, 1)), verbose=0, callbacks=[StopOnNotFinite()])
    Traceback (most recent call last):
    ...
    FloatingPointError: `loss` is nan after batch 1 of epoch 1: training has diverged...
    """

    def __init__(self, checkpoints: KeepLastCheckpoints | None = None, every: int = 1) -> None:
        super().__init__()
        if checkpoints is not None and not isinstance(checkpoints, KeepLastCheckpoints):
            raise ValueError(f"`checkpoints` must be a `KeepLastCheckpoints` or None. Received: {checkpoints!r}")
        self.checkpoints = checkpoints
        self.every = require_int(every, "every")
        self._epoch = self._batch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._batch = epoch, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        checked, self._batch = self._batch, batch + 1
        if self._batch // self.every > checked // self.every:
            self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(logs)

    def _check(self, logs):
        for name, value in (logs or {}).items():
            value = float(value)
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"`{name}` is {value} after batch {self._batch} of epoch {self._epoch + 1}: training has diverged. "
                    + last_good(self.checkpoints)
                )
