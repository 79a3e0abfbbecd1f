"""Verification of an export: compares its outputs with those of the model."""

import keras
import numpy as np

from keras_attention.export.names import served_name

# Tolerances relative to the largest output, to find wrong weights or wiring, not rounding (coarse in int8, bfloat16).
FINE, COARSE = 1e-3, 2e-2


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
        require_equal(lambda inputs: loaded[name](**inputs), signature, examples)


def require_equal(run, signature, examples=None):
    """Compares an export with the function it was traced from, run eagerly.

    Args:
        run: The export: a function of tensors by name that returns tensors by name.
        signature: The `ForwardSignature`.
        examples: Dict input name -> array; `None`: random, with two rows, three steps, ids below 10, 4 or 2.

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
        # Different ids test the attention, but the size of the vocabulary is not known.
        lengths = set(signature.lengths.values())
        candidates = [random_examples(specs, lengths, ids) for ids in (10, 4, 2)]
        candidates.append(random_examples(specs, lengths, whole=True))
    inputs, expected = _first_that_runs(signature, specs, candidates)
    got = run(inputs)
    tolerance = _tolerance(signature.model)
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


def random_examples(specs, lengths=(), ids=2, whole=False):
    """Name -> array for every spec: noise, or integers below `ids`; `lengths` names the inputs of lengths.

    With `whole`, floats are integers too: a model may take ids as floats.
    """
    rng = np.random.default_rng(0)
    examples = {}
    for name, spec in specs.items():
        # Three steps suffice for a sequence; an image must be large enough for some strides.
        unknown = 3 if spec.shape.rank < 4 else 32
        shape = [(2 if axis == 0 else unknown) if size is None else size for axis, size in enumerate(spec.shape)]
        if name in lengths:
            examples[name] = np.arange(shape[0], 0, -1) + 1
        elif spec.dtype.is_floating and not whole:
            examples[name] = rng.standard_normal(shape)
        else:
            examples[name] = rng.integers(0, 2 if spec.dtype.is_bool else ids, shape)
    return examples


def _tolerance(model):
    dtypes = {model.compute_dtype, *(keras.backend.standardize_dtype(weight.dtype) for weight in model.weights)}
    return FINE if dtypes <= {"float32", "float64"} else COARSE


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
