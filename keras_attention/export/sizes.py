"""Which sizes of its inputs a model does not depend on: those stay unknown in what is served."""

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
    """`structure` in specs; sizes that come from data, and that the model does not depend on, are `None`.

    A model that was built by a call, or by `fit`, knows the sizes of that batch; so does an array. In these the batch
    is unknown, unless the model runs on that batch alone; and so is every length (all axes but the first and, of three
    and more, the last) with another value of which the model runs. What is declared, with a batch that is unknown or in
    a `keras.InputSpec` or `tf.TensorSpec`, stays as it is.

    A `Sequential` without an `Input` takes floats, says Keras. If it does not see their fractions, they are ids: int32.

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
    """Whether the sizes are those of a batch of data, and not what somebody declared."""
    is_spec = not is_array(leaf) and not isinstance(leaf, keras.KerasTensor)
    return len(leaf.shape) > 0 and leaf.shape[0] is not None and not is_spec


def _dtype(leaf):
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSU":
        return "string"
    dtype = keras.backend.standardize_dtype(leaf.dtype)
    # NumPy's floats, which the model would cast.
    return keras.config.floatx() if is_array(leaf) and dtype == "float64" else dtype


def _unknown_sizes(trial, specs, recorded):
    """(input, axis) of the sizes with other values of which the model runs."""
    batch = {(i, 0) for i in recorded}
    if not trial.finds_examples():
        return batch  # nothing can be asked; a fixed batch is rare
    unknown = batch if trial.runs(batch) else set()
    alike = collections.defaultdict(set)
    for i in recorded:
        for axis in range(1, max(2, len(specs[i].shape) - 1)):
            if axis < len(specs[i].shape):
                alike[specs[i].shape[axis]].add((i, axis))
    for places in alike.values():
        # Equal sizes may have to stay equal: two sequences that are added.
        if trial.runs(places):
            unknown = unknown | places
        elif len(places) > 1:
            unknown = unknown | {place for place in places if trial.runs({place})}
    return unknown if trial.runs(unknown) else unknown & batch


class _Trial:
    """Runs a model on inputs of other sizes."""

    def __init__(self, model, structure, leaves, specs):
        self.model, self.structure, self.leaves, self.specs = model, structure, leaves, specs
        self.whole = False

    def finds_examples(self):
        """Whether the model runs on the sizes that it knows: on noise, or on whole numbers, as ids are."""
        for whole in (False, True):
            self.whole = whole
            if self._runs(set(), lambda size: size):
                return True
        return False

    def takes_ids(self):
        """Whether a model of one input of floats tells 0 from 1, but not what lies between them."""
        if not keras.backend.is_float_dtype(self.specs[0].dtype):
            return False
        x = np.random.default_rng(0).uniform(0.1, 1.9, [size or 3 for size in self.specs[0].shape]).astype("float32")
        try:
            whole, same, other = (self._call(keras.ops.cast(y, self.specs[0].dtype)) for y in (x // 1, x, 1 - x // 1))
        except Exception:
            return False
        return np.array_equal(whole, same) and not np.array_equal(whole, other)

    def runs(self, places):
        """Whether it runs when the sizes at `places` (input, axis) grow: by one, or, for what must divide, twice."""
        return not places or any(self._runs(places, grow) for grow in (lambda n: n + 1, lambda n: 2 * n))

    def _runs(self, places, grow):
        inputs = []
        for i, (leaf, spec) in enumerate(zip(self.leaves, self.specs)):
            known = [(2 if axis == 0 else 3) if size is None else size for axis, size in enumerate(spec.shape)]
            shape = [grow(size) if (i, axis) in places else size for axis, size in enumerate(known)]
            inputs.append(self._example(leaf, spec.dtype, shape))
        try:
            self._call(keras.tree.pack_sequence_as(self.structure, inputs))
        except Exception:  # whatever a model says to a size that it cannot take
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
