"""In which precision attention is computed: float32 at least."""

import keras
from keras import ops


def at_least_float32(*tensors):
    """The tensors in one dtype: float32, or float64 if one of them is and the backend computes in it.

    Keras computes in float64 on TensorFlow, on JAX where it is switched on, and not on PyTorch.
    """
    tensors = [ops.convert_to_tensor(x) for x in tensors]
    names = [keras.backend.standardize_dtype(x.dtype) for x in tensors]
    dtype = keras.backend.result_type("float32", *names)
    return [ops.cast(x, dtype) for x in tensors]
