"""Precision of attention: float32 at least."""

import keras
from keras import ops


def computed_in(*tensors):
    """The dtype to compute logits and their softmax in: float64 if any of the tensors is, else float32."""
    return "float64" if any(keras.backend.standardize_dtype(x.dtype) == "float64" for x in tensors) else "float32"


def itemsize(x):
    """Bytes of a number of `x`, float32 or float64."""
    return 8 if computed_in(x) == "float64" else 4


def at_least_float32(*tensors):
    """The tensors in one dtype: float32, or float64 if one of them is and Keras's operations compute in it.

    They do on TensorFlow, on JAX where x64 is enabled, and not on PyTorch: there `matmul` and others return float32,
    and only code that keeps to the tensors' own operators (as `attend` does) computes in float64.
    """
    tensors = [ops.convert_to_tensor(x) for x in tensors]
    names = [keras.backend.standardize_dtype(x.dtype) for x in tensors]
    dtype = keras.backend.result_type("float32", *names)
    return [ops.cast(x, dtype) for x in tensors]
