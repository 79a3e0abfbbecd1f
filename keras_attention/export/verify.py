"""Verification of an export: compares its outputs with those of the model."""

import keras
import numpy as np

from keras_attention.export.names import served_name
from keras_attention.export.precision import dtypes_of

# Tolerances relative to the largest output, to find wrong weights or wiring, not rounding (coarse in int8, bfloat16).
FINE, COARSE = 1e-3, 2e-2
# Values for unknown sizes: (length of a sequence, side of an image), tried until the model runs. Three steps suffice
# for most; an image must be large enough for some strides, and small enough for learned positions.
SIZES = ((3, 32), (3, 16), (3, 8), (3, 4), (2, 2), (8, 64), (32, 128))


def verify_export(folder, name, signature, examples=None):
    """Loads the SavedModel and compares its signature with the function it was traced from.

    Args:
        folder: Folder of the SavedModel.
        name: Name of the signature in it.
        signature: The `ForwardSignature`; `None` only loads.
        examples: See `require_equal`.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder)).signatures
    if signature is not None:
        function = loaded[name]
        require_equal(lambda inputs: function(**inputs), signature, tolerance_of(function), examples)


def require_equal(run, signature, tolerance, examples=None):
    """Compares an export with the function it was traced from, run eagerly.

    Args:
        run: The export: a function of tensors by name that returns tensors by name.
        signature: The `ForwardSignature`.
        tolerance: Float, of differences relative to the largest output.
        examples: Dict input name -> array; `None`: random, of the first of a few sizes at which the model runs, with
            two rows and ids below 10, 4 or 2.

    Raises:
        ValueError: If the model cannot run on the examples.
        RuntimeError: If the outputs differ.
    """
    import tensorflow as tf

    specs = signature.specs()
    if examples is not None:
        candidates = [{served_name(key): value for key, value in examples.items()}]
    elif any(spec.dtype == tf.string for spec in specs.values()):
        return  # which strings are valid is not known
    else:
        candidates = _candidates(specs, set(signature.lengths.values()))
    inputs, expected = _first_that_runs(signature, specs, candidates)
    got = run(inputs)
    for key, value in expected.items():
        _require_close(key, tolerance, *(keras.ops.convert_to_numpy(x) for x in (value, got[key])))


def _first_that_runs(signature, specs, candidates):
    """The first examples on which the model runs, as tensors, and its outputs."""
    import tensorflow as tf

    for examples in candidates:
        if set(examples) != set(specs):
            raise ValueError(f"`verify` must hold an array for each of {list(specs)}. Received: {list(examples)}")
        inputs = {key: tf.cast(tf.convert_to_tensor(examples[key]), spec.dtype) for key, spec in specs.items()}
        try:
            return inputs, signature(**inputs)
        except Exception as error:
            cause = error
    raise ValueError(
        f"The model cannot run on the inputs of the verification, shapes "
        f"{[tuple(x.shape) for x in inputs.values()]}. "
        "Pass others with `verify={input name: array}`, or `verify=False`."
    ) from cause


def _candidates(specs, lengths):
    """Yields random examples, each of other sizes or ids than those before."""
    shapes = [{name: _shape(spec, *sizes) for name, spec in specs.items()} for sizes in SIZES]
    for i, shape in enumerate(shapes):
        if shape not in shapes[:i]:
            # Different ids test the attention, but the size of the vocabulary is not known.
            for ids in (10, 4, 2):
                yield random_examples(specs, lengths, ids, sizes=SIZES[i])
            yield random_examples(specs, lengths, whole=True, sizes=SIZES[i])


def random_examples(specs, lengths=(), ids=2, whole=False, sizes=SIZES[0]):
    """Name -> array for every spec: noise, or integers below `ids`; `lengths` names the inputs of lengths.

    With `whole`, floats are integers too: a model may take ids as floats.
    """
    rng = np.random.default_rng(0)
    examples = {}
    for name, spec in specs.items():
        shape = _shape(spec, *sizes)
        if name in lengths:
            examples[name] = np.arange(shape[0], 0, -1) + sizes[0] - 2
        elif spec.dtype.is_floating and not whole:
            examples[name] = rng.standard_normal(shape)
        else:
            examples[name] = rng.integers(0, 2 if spec.dtype.is_bool else ids, shape)
    return examples


def _shape(spec, length, side):
    """The shape of a spec: a batch of two, `length` for unknown sizes of sequences and `side` for those of images."""
    unknown = length if spec.shape.rank < 4 else side
    return tuple((2 if axis == 0 else unknown) if size is None else size for axis, size in enumerate(spec.shape))


def tolerance_of(function):
    """The tolerance for a traced function: coarse if anything in it, whichever layer's, is in few bits."""
    import tensorflow as tf

    return COARSE if any(x == tf.int8 or (x.is_floating and x.size < 4) for x in dtypes_of(function)) else FINE


def _require_close(name, tolerance, expected, got):
    if expected.dtype.kind not in "OSUbiu":
        expected, got = expected.astype("float32"), got.astype("float32")
        scale = max(1.0, np.abs(expected).max(initial=0.0, where=np.isfinite(expected)))
        close = expected.shape == got.shape
        close = close and np.allclose(expected, got, rtol=0, atol=tolerance * scale, equal_nan=True)
    else:
        close = np.array_equal(expected, got)
    if not close:
        raise RuntimeError(
            f"The outputs of the export and of the model differ in output {name!r}; the export was discarded. A model "
            f"that uses random numbers in its call needs `verify=False`. Expected {expected!r}, got {got!r}"
        )
