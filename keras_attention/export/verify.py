"""Does the export answer as the model does? Asked before anybody can see the export."""

import keras
import numpy as np

# Of the largest value: coarse, because it looks for a wrong weight or a wrong wire, not for rounding (int8, bfloat16).
TOLERANCE = 0.02


def verify_export(folder, name, signature, examples=None):
    """Loads the SavedModel and compares its signature with the function it was traced from, run eagerly.

    Args:
        folder: Folder of the SavedModel.
        name: Name of the signature in it.
        signature: The `ForwardSignature`; `None` only loads.
        examples: Dict input name -> array; `None` draws them: two rows, three steps, ids 0 and 1.

    Raises:
        ValueError: If the model cannot run on the examples.
        RuntimeError: If the answers differ.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder)).signatures
    if signature is None:
        return
    specs = signature.specs()
    if examples is None:
        if any(spec.dtype == tf.string for spec in specs.values()):
            return  # what a string may say, only the model knows
        examples = random_examples(specs, set(signature.lengths.values()))
    elif set(examples) != set(specs):
        raise ValueError(f"`verify` must hold an array for each of {list(specs)}. Received: {list(examples)}")
    inputs = {key: tf.cast(tf.convert_to_tensor(examples[key]), spec.dtype) for key, spec in specs.items()}
    try:
        expected = signature(**inputs)
    except Exception as error:
        shapes = {key: tuple(x.shape) for key, x in inputs.items()}
        raise ValueError(
            f"The model cannot run on the inputs of the verification, shapes {shapes}. Give it others with "
            "`verify={input name: array}`, or `verify=False`."
        ) from error
    got = loaded[name](**inputs)
    for key, value in expected.items():
        _require_close(key, keras.ops.convert_to_numpy(value), keras.ops.convert_to_numpy(got[key]))


def random_examples(specs, lengths=()):
    """Name -> array for every spec: noise, ids 0 and 1; `lengths` names those that count the steps of the others."""
    rng = np.random.default_rng(0)
    examples = {}
    for name, spec in specs.items():
        # Three steps suffice for a sequence; an image must survive some strides.
        unknown = 3 if spec.shape.rank < 4 else 32
        shape = [(2 if axis == 0 else unknown) if size is None else size for axis, size in enumerate(spec.shape)]
        if name in lengths:
            examples[name] = np.arange(shape[0], 0, -1) + 1
        elif spec.dtype.is_floating:
            examples[name] = rng.standard_normal(shape)
        else:
            examples[name] = rng.integers(0, 2, shape)
    return examples


def _require_close(name, expected, got):
    if expected.dtype.kind not in "OSUbiu":
        expected, got = expected.astype("float32"), got.astype("float32")
        scale = max(1.0, np.abs(expected).max(initial=0.0, where=np.isfinite(expected)))
        close = expected.shape == got.shape and np.allclose(expected, got, rtol=0, atol=TOLERANCE * scale, equal_nan=True)
    else:
        close = np.array_equal(expected, got)
    if not close:
        raise RuntimeError(
            f"The export answers otherwise than the model, in output {name!r}, and was discarded. Expected {expected!r}, "
            f"got {got!r}. A model that draws random numbers when it is called cannot be verified: `verify=False`."
        )
