"""Which input sizes a model does not depend on; these stay `None` in its serving signature."""

import collections
import warnings

import keras
import numpy as np


class Spec:
    """Shape and dtype of an input."""

    def __init__(self, shape, dtype):
        self.shape = tuple(shape)
        self.dtype = dtype


def with_unknown_sizes(model, structure):
    """Turns `structure` into specs; sizes from data on which the model does not depend become `None`.

    A model that was built by a call or by `fit` has recorded the sizes of that batch; an array has sizes of its own.
    Of these, the batch size becomes `None` unless the model runs on that batch size only, and so does every length (all
    axes but the first and, of three and more, the last) with another value of which a trial run succeeds. Declared
    shapes (a batch size of `None`, a `keras.InputSpec` or a `tf.TensorSpec`) stay as they are.

    Keras reports float inputs for a `Sequential` without an `Input`. If fractions have no effect, they are ids: int32.

    Args:
        model: The Keras model.
        structure: A nest of specs, symbolic tensors and arrays.
    """
    leaves = keras.tree.flatten(structure)
    specs = [Spec(leaf.shape, _dtype(leaf)) for leaf in leaves]
    recorded = [i for i, leaf in enumerate(leaves) if _is_recorded(leaf)]
    if recorded:
        trial = _Trial(model, structure, leaves, specs)
        unknown = _unknown_sizes(trial, specs, recorded)
        if isinstance(model, keras.Sequential) and isinstance(leaves[0], keras.KerasTensor) and trial.takes_ids():
            specs[0].dtype = "int32"
        for i in recorded:
            specs[i].shape = tuple(None if (i, axis) in unknown else n for axis, n in enumerate(specs[i].shape))
    return keras.tree.pack_sequence_as(structure, specs)


def is_array(x):
    return isinstance(x, np.ndarray) or keras.ops.is_tensor(x)


def _is_recorded(leaf):
    """Whether the sizes are those of a batch of data, not declared."""
    is_spec = not is_array(leaf) and not isinstance(leaf, keras.KerasTensor)
    return len(leaf.shape) > 0 and leaf.shape[0] is not None and not is_spec


def _dtype(leaf):
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSU":
        return "string"
    dtype = keras.backend.standardize_dtype(leaf.dtype)
    # NumPy's default dtype, which the model would cast.
    return keras.config.floatx() if is_array(leaf) and dtype == "float64" else dtype


def _unknown_sizes(trial, specs, recorded):
    """The set of (input, axis) of the sizes that may take other values."""
    batch = {(i, 0) for i in recorded}
    if not trial.finds_examples():
        return batch  # no trial is possible; a fixed batch size is rare
    unknown = batch if trial.runs(batch) else set()
    alike = collections.defaultdict(set)
    for i in recorded:
        for axis in range(1, max(2, len(specs[i].shape) - 1)):
            if axis < len(specs[i].shape):
                alike[specs[i].shape[axis]].add((i, axis))
    for axes in alike.values():
        # Equal sizes may have to stay equal, as those of two sequences that are added.
        if trial.runs(axes):
            unknown = unknown | axes
        elif len(axes) > 1:
            unknown = unknown | {pair for pair in axes if trial.runs({pair})}
    return unknown if trial.runs(unknown) else unknown & batch


class _Trial:
    """Trial runs of a model on inputs of other sizes."""

    def __init__(self, model, structure, leaves, specs):
        self.model, self.structure, self.leaves, self.specs = model, structure, leaves, specs
        self.whole = False

    def finds_examples(self):
        """Whether the model runs on the recorded sizes: on noise, or on integers, as for ids."""
        for whole in (False, True):
            self.whole = whole
            if self._runs(set(), lambda size: size):
                return True
        return False

    def takes_ids(self):
        """Whether the output of a model with one float input depends on its integer part only."""
        if not keras.backend.is_float_dtype(self.specs[0].dtype):
            return False
        x = np.random.default_rng(0).uniform(0.1, 1.9, [size or 3 for size in self.specs[0].shape]).astype("float32")
        try:
            whole, same, other = (self._call(keras.ops.cast(y, self.specs[0].dtype)) for y in (x // 1, x, 1 - x // 1))
        except Exception:
            return False
        return np.array_equal(whole, same) and not np.array_equal(whole, other)

    def runs(self, axes):
        """Whether the model runs when the sizes at `axes` (input, axis) grow by one or double."""
        return not axes or any(self._runs(axes, grow) for grow in (lambda n: n + 1, lambda n: 2 * n))

    def _runs(self, axes, grow):
        inputs = []
        for i, (leaf, spec) in enumerate(zip(self.leaves, self.specs)):
            known = [(2 if axis == 0 else 3) if size is None else size for axis, size in enumerate(spec.shape)]
            shape = [grow(size) if (i, axis) in axes else size for axis, size in enumerate(known)]
            inputs.append(self._example(leaf, spec.dtype, shape))
        try:
            self._call(keras.tree.pack_sequence_as(self.structure, inputs))
        except Exception:  # models raise anything on a size that they do not support
            return False
        return True

    def _call(self, inputs):
        """The first output, as an array."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return keras.ops.convert_to_numpy(keras.tree.flatten(self.model(inputs, training=False))[0])

    def _example(self, leaf, dtype, shape):
        if is_array(leaf):
            array = np.resize(np.asarray(leaf), shape)
            return keras.ops.convert_to_tensor(array) if dtype == "string" else keras.ops.cast(array, dtype)
        if dtype == "string":
            return keras.ops.convert_to_tensor(np.full(shape, "a"))
        rng = np.random.default_rng(0)
        noise = keras.backend.is_float_dtype(dtype) and not self.whole
        return keras.ops.cast(rng.standard_normal(shape) if noise else rng.integers(0, 2, shape), dtype)
