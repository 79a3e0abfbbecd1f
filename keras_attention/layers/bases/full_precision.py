"""An additive bias keeps its precision: under mixed precision, Keras casts what a layer is called with."""

import keras


class KeepsBiasPrecision:
    """Mixin for layers that are called with `attention_bias`. Name it before the Keras base class.

    Cast to float16, a bias of -1e9 would be -inf, which hides, and a long distance would be rounded. So the layer is
    taken out of autocasting, and casts its other inputs itself, by `_autocast`.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})

    def _autocast(self, *inputs):
        """What Keras does to the inputs of other layers: floating tensors get the compute dtype."""
        return keras.tree.map_structure(lambda x: self.dtype_policy.convert_input(x, True, self.compute_dtype), inputs)


def bias_dtype(layer):
    """The dtype of a bias that `layer` makes: no lower than float32, as it is added to logits in float32."""
    return "float64" if layer.compute_dtype == "float64" else "float32"
