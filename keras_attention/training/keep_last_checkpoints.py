"""Callback that keeps the last checkpoints of a training run, to resume from or to average."""

import math
import re
from typing import Any

import keras
from keras import ops

from keras_attention.folders import require_folder, working_folder
from keras_attention.ops.require import is_int, require_int
from keras_attention.training.files import HALF_WRITTEN, WEIGHTS, written_whole
from keras_attention.types import PathLike


class KeepLastCheckpoints(keras.callbacks.Callback):
    """Saves the weights at regular intervals and keeps the last `keep` checkpoints.

    For `average_checkpoints`: "Attention Is All You Need", section 6.1
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)) averages the last 5
    checkpoints of the base model, written every 10 minutes, and the last 20 of the big.

    A file is named after the number of updates done so far, `step-00001234.weights.h5`, and
    written atomically. Half-written files of killed runs (hidden folders `.step-...`) are
    removed; other files in the folder are kept.

    A resumed run (the optimizer's count of updates is not 0) counts the files of its earlier
    part. If the folder holds checkpoints of a later step, those of another run, training does
    not start.

    Weights that are NaN or infinite are not saved: training stops with an error that names the first such weight and
    the last good checkpoint.

    Args:
        directory: Folder of the checkpoints; created if it does not exist.
        keep: Positive int, how many checkpoints are kept.
        every: `"epoch"`, or a positive int, the interval in batches.

    Attributes:
        paths: The checkpoints, oldest first.

    Raises:
        ValueError: If an argument is out of its range; when training starts, if the
            folder holds checkpoints of a later step.
        OSError: `NotADirectoryError` or `PermissionError`, at the latest when training starts,
            if `directory` is a file or cannot be written. When a checkpoint is due, if the
            disk is full: the other checkpoints are kept.
        FloatingPointError: When a checkpoint is due, if a weight or the optimizer's state is not finite.

    Example:

    >>> import numpy as np, tempfile
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     last = KeepLastCheckpoints(folder, keep=2)
    ...     _ = model.fit(np.ones((6, 1)), np.ones((6, 1)), batch_size=2, epochs=4, verbose=0, callbacks=[last])
    ...     [path.name for path in last.paths]
    ['step-00000009.weights.h5', 'step-00000012.weights.h5']
    """

    def __init__(self, directory: PathLike, keep: int = 5, every: int | str = "epoch") -> None:
        super().__init__()
        if every != "epoch" and not (is_int(every) and every > 0):
            raise ValueError(f"`every` must be 'epoch' or a positive int. Received: every={every!r}")
        self.directory = require_folder(directory, "directory")
        self.keep = require_int(keep, "keep")
        self.every = every if every == "epoch" else int(every)
        self._step = self._step_at_epoch_begin = self._saved_at = 0

    @property
    def paths(self) -> list[str]:
        ours = [path for path in self.directory.glob(f"step-*{WEIGHTS}") if _step_of(path) is not None]
        return sorted(ours, key=_step_of)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        _try_to_write(self.directory)
        self._step = self._saved_at = self._updates()
        later = [path for path in self.paths if _step_of(path) > self._step]
        if later:
            raise ValueError(
                f"{self.directory} holds checkpoints of a later step than this run's {self._step}, such as "
                f"{later[-1].name}. Resume from them or give another `directory`."
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._step_at_epoch_begin = self._step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Counted here: reading the optimizer's count would wait for every batch on some backends.
        step = self._step_at_epoch_begin + batch + 1
        if self.every != "epoch" and step // self.every > self._saved_at // self.every:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._step = self._updates()
        if self.every == "epoch":
            self._save()

    def _updates(self):
        # Of several replicas, the variable is one of TensorFlow's, which `int` refuses.
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    def _save(self):
        # With `steps_per_execution` the last execution of an epoch may have fewer batches than Keras reports.
        self._step = self._updates()
        self._require_finite()
        path = self.directory / f"step-{self._step:08d}{WEIGHTS}"
        with written_whole(path, _most_bytes([*self.model.variables, *self.model.optimizer.variables])) as beside:
            self.model.save_weights(beside)
        self._saved_at = self._step
        for path in self.paths[: -self.keep]:
            path.unlink()

    def _require_finite(self):
        for variable in [*self.model.weights, *self.model.optimizer.variables]:
            if "float" in variable.dtype and not bool(ops.all(ops.isfinite(variable))):
                raise FloatingPointError(
                    f"`{variable.path}` is not finite after update {self._step}: training has diverged. "
                    + last_good(self)
                )


def last_good(checkpoints):
    """The end of an error message: the checkpoint to resume a diverged run from."""
    paths = checkpoints.paths if checkpoints else []
    if not paths:
        return "There is no checkpoint of an earlier update."
    return f"The last good checkpoint is {paths[-1]}: load it, and resume with a lower learning rate or other data."


def _most_bytes(variables):
    """Upper bound of the size of a file of these variables, with groups and headers."""
    sizes = [math.prod(v.shape) * int((re.search(r"\d+", v.dtype) or ["8"])[0]) // 8 for v in variables]
    return sum(sizes) + 8192 * len(sizes) + 65536


def _try_to_write(directory):
    """Creates the folder and a file in it, so that a folder that cannot be written fails before training."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with working_folder(directory, f".step-try{WEIGHTS}.", HALF_WRITTEN):
            pass
    except OSError as error:
        raise OSError(error.errno, f"`directory` cannot be written ({error.strerror})", str(directory)) from error


def _step_of(path):
    """The step in a checkpoint's name; `None` for other files."""
    match = re.fullmatch(r"step-(\d{8,})" + re.escape(WEIGHTS), path.name)
    return int(match[1]) if match else None
