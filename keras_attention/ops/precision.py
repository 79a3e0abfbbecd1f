"""In which precision attention is computed: float32 at least."""

import keras
from keras import ops


def computed_in(*tensors):
    """The dtype to compute logits and their softmax in: float32, or float64 if one of the tensors is and Keras can.

    Keras computes in float64 on TensorFlow, on JAX where it is switched on, and not on PyTorch.
    """
    return keras.backend.result_type("float32", *(keras.backend.standardize_dtype(x.dtype) for x in tensors))


def at_least_float32(*tensors):
    """The tensors, all in the dtype in which they are computed with."""
    tensors = [ops.convert_to_tensor(x) for x in tensors]
    dtype = computed_in(*tensors)
    return [ops.cast(x, dtype) for x in tensors]
