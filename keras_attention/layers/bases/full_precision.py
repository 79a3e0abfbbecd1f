"""Attention biases are not cast to half precision."""

import keras


class KeepsBiasPrecision:
    """Mixin that keeps `attention_bias` out of autocasting. Name it before the Keras base class.

    In float16, a bias of -1e9 would be -inf, which masks, and large distances would be rounded. The layer is not
    autocast; it casts its other inputs by `_autocast`.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})

    def _autocast(self, *inputs):
        """Casts floating tensors to the compute dtype, as Keras does for other layers."""
        return keras.tree.map_structure(lambda x: self.dtype_policy.convert_input(x, True, self.compute_dtype), inputs)


def bias_dtype(layer):
    """The dtype of a bias returned by `layer`: at least float32, as it is added to float32 logits."""
    return "float64" if layer.compute_dtype == "float64" else "float32"
