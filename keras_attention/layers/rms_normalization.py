"""Root mean square layer normalization."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_number
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class RMSNormalization(BaseLayer):
    r"""Root mean square layer normalization of the last axis.

    $$ y = \frac{x}{\sqrt{\frac{1}{D} \sum_d x_d^2 + \epsilon}} \odot g $$

    as in "Root Mean Square Layer Normalization", eq. 4
    ([Zhang & Sennrich, 2019](https://arxiv.org/abs/1910.07467)). Written out:

        output: [..., D] = inputs / sqrt(mean of inputs^2 + epsilon) * scale

    Differs from the paper: `epsilon`. Differs from `keras.layers.RMSNormalization`:
    nothing from Keras 3.11 on; in older versions that one squares in half precision,
    which overflows in float16, or does not exist.

    Masking: each position by itself; a Keras mask is propagated.

    Args:
        epsilon: Positive float.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [..., D].

    Returns:
        Tensor shaped like `inputs`.

    Example:

    >>> from keras_attention.layers import RMSNormalization
    >>> RMSNormalization()(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.epsilon = require_number(epsilon, "epsilon", above=0)
        self.supports_masking = True

    def build(self, input_shape):
        if input_shape[-1] is None:
            raise ValueError(f"The last axis of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs: Tensor) -> Tensor:
        x, scale = at_least_float32(inputs, self.scale)
        rate = ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + self.epsilon)
        return ops.cast(x * rate * scale, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
