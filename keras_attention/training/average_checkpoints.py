"""Checkpoint averaging, as in the Transformer's evaluation."""

import contextlib
import pathlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from typing import TypeVar

import keras
import numpy as np

from keras_attention.folders import require_folder
from keras_attention.training.files import WEIGHTS, closed_by_hdf5, suffix, written_whole
from keras_attention.types import PathLike

WEIGHTS_IN_ARCHIVE = "model.weights.h5"  # the name that a `.keras` archive gives its weights
OPTIMIZER = "optimizer"
Target = TypeVar("Target", bound=keras.Model | PathLike)


def average_checkpoints(paths: Sequence[PathLike], target: Target) -> Target:
    r"""Checkpoint averaging: the mean of each weight over several checkpoints.

    $$ \bar{w} = \frac{1}{k} \sum_{i=1}^{k} w_i $$

    The last 5 checkpoints (base) or 20 (big) in section 6.1 of "Attention Is All You
    Need" ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Summed in float64,
    one weight in memory at a time. The optimizer's state and integers (counters, seeds)
    are those of the last checkpoint.

    Args:
        paths: List of checkpoints of one model, `.weights.h5` or `.keras` files, oldest
            first; `KeepLastCheckpoints.paths` is such a list.
        target: A built `keras.Model` of the same architecture, whose weights are set, or the
            path of a file to write, of the same kind as the checkpoints. The file is written
            atomically.

    Returns:
        `target`.

    Raises:
        ValueError: If there is no checkpoint, one is missing or damaged (the error names it)
            or has other weights than the first (the error names them), or a quantized weight
            differs; then nothing is written.

    Example:

    >>> import keras, tempfile
    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [f"{folder}/{i}.weights.h5" for i in range(3)]
    ...     for i, path in enumerate(paths):
    ...         model.set_weights([np.array([[2.0 * i]])])
    ...         model.save_weights(path)
    ...     average_checkpoints(paths, model).get_weights()[0].tolist()
    [[2.0]]
    """
    paths = _require_paths(paths, target)
    with tempfile.TemporaryDirectory() as folder:
        mean = _mean_weights(paths, pathlib.Path(folder))
        if isinstance(target, keras.Model):
            _load_or_leave(target, mean)
            return target
        with written_whole(target) as beside:
            if suffix(target) == WEIGHTS:
                shutil.copyfile(mean, beside)
            else:
                _replace_weights(paths[-1], mean, beside)
    return target


def _require_paths(paths, target):
    """Returns the checkpoints as a list of paths; all must exist and be of the kind of the target."""
    if isinstance(paths, str | pathlib.Path) or not hasattr(paths, "__iter__"):
        raise ValueError(f"`paths` must be a list of at least one checkpoint. Received: paths={paths!r}")
    paths = list(paths)
    if not paths:
        raise ValueError("`paths` must be a list of at least one checkpoint. Received: paths=[]")
    kinds = {suffix(path) for path in paths} | (set() if isinstance(target, keras.Model) else {suffix(target)})
    if len(kinds) > 1:
        raise ValueError(f"All checkpoints, and the file to write, must be of one kind. Received: {sorted(kinds)}")
    paths = [pathlib.Path(path) for path in paths]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"There is no checkpoint {path}")
    if not isinstance(target, keras.Model):
        folder = require_folder(pathlib.Path(target).absolute().parent, "target")
        if not folder.is_dir():
            raise ValueError(f"`target` must lie in a folder that is there. Received: target={target}")
    elif not target.built:
        raise ValueError(f"`target` must be built: call {target.name} once on data first")
    return paths


def _mean_weights(paths, folder):
    """Writes the mean into a copy of the last weights file, of the same layout."""
    import h5py

    copies = [_weights_file(path, folder / str(i)) for i, path in enumerate(paths)]
    mean = folder / f"mean{WEIGHTS}"
    with contextlib.ExitStack() as files:
        tables = [_table(path, copy, files) for path, copy in zip(paths, copies)]
        for path, table in zip(paths, tables):
            _require_same(paths[0], tables[0], path, table)
        shutil.copyfile(copies[-1], mean)
        with closed_by_hdf5(mean), h5py.File(mean, "r+") as output:
            for name, weight in _weights(output).items():
                weight[...] = _mean([table[name] for table in tables], name)
    return mean


def _weights_file(path, folder):
    if suffix(path) == WEIGHTS:
        return path
    # An `OSError` is about the copy, if the disk is full, or names the path itself.
    with _named(path, KeyError, EOFError, zlib.error, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return archive.extract(WEIGHTS_IN_ARCHIVE, folder)


def _table(path, copy, files):
    """Name -> weight of the checkpoint `path`, read from the weights file `copy`, which `files` closes."""
    import h5py

    with _named(path, OSError, KeyError, RuntimeError):
        table = _weights(files.enter_context(h5py.File(copy, "r")))
        return {name: _Weight(path, dataset) for name, dataset in table.items()}


class _Weight:
    """An HDF5 dataset whose errors name the checkpoint."""

    def __init__(self, path, dataset):
        self.path, self.dataset = path, dataset
        self.shape, self.dtype, self.attrs = dataset.shape, dataset.dtype, dataset.attrs

    def __getitem__(self, index):
        with _named(self.path, OSError, KeyError, RuntimeError):
            return self.dataset[index]


@contextlib.contextmanager
def _named(path, *errors):
    try:
        yield
    except errors as error:
        raise ValueError(f"{path} is no checkpoint, or a damaged one: {error}") from error


def _load_or_leave(model, weights):
    """Loads a weights file into a model; if it does not fit, the model keeps its weights."""
    before = model.get_weights()
    try:
        model.load_weights(weights)
    except Exception:
        model.set_weights(before)
        raise


def _replace_weights(path, mean, output):
    """Copies the `.keras` archive at `path` to `output`, with the weights `mean`."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(output, "w") as new:
        for item in old.infolist():
            if item.filename == WEIGHTS_IN_ARCHIVE:
                new.write(mean, WEIGHTS_IN_ARCHIVE)
            else:
                new.writestr(item, old.read(item))


def _weights(file):
    """Name -> HDF5 dataset of every weight of a file."""
    import h5py

    found = {}
    file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def _require_same(first_path, first, path, table):
    missing, more = sorted(first.keys() - table.keys()), sorted(table.keys() - first.keys())
    if missing or more:
        raise ValueError(
            f"{path} is not a checkpoint of the model of {first_path}: it lacks {missing[:3]} and has {more[:3]}"
        )
    for name in first:
        if first[name].shape != table[name].shape or first[name].dtype != table[name].dtype:
            raise ValueError(
                f"{path} is not a checkpoint of the model of {first_path}: {name} is "
                f"{table[name].shape} {table[name].dtype}, not {first[name].shape} {first[name].dtype}"
            )


def _mean(weights, name):
    """The mean of the datasets of one name; the last for the optimizer's state and for integers."""
    import ml_dtypes

    last = weights[-1]
    if name.split("/")[0] == OPTIMIZER:
        return last[...]
    if last.attrs.get("dtype") == "bfloat16":
        # Keras stores bfloat16 as two bare bytes, which HDF5 has no number for.
        numbers = (weight[...].view(ml_dtypes.bfloat16) for weight in weights)
        return _float64_mean(numbers, len(weights)).astype(ml_dtypes.bfloat16).view(last.dtype)
    if np.issubdtype(last.dtype, np.floating):
        return _float64_mean((weight[...] for weight in weights), len(weights))
    if last.dtype.itemsize == 1 and any((weight[...] != last[...]).any() for weight in weights):
        raise ValueError(f"{name} is quantized ({last.dtype}) and cannot be averaged: average first, then quantize")
    return last[...]


def _float64_mean(arrays, count):
    return sum(array.astype("float64") for array in arrays) / count
