"""Sinusoidal position encoding."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops import sinusoidal
from keras_attention.ops.require import require_choice, require_number
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class SinusoidalPositionEncoding(BaseLayer):
    r"""Sinusoidal position encoding: adds sines and cosines of the position. No weights.

    $$ y_p = x_p + PE(p), \quad PE(p, 2i) = \sin(p / 10000^{2i/D}), \quad PE(p, 2i+1) = \cos(p / 10000^{2i/D}) $$

    as in "Attention Is All You Need", section 3.5
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, D model width:

        output: [B, T, D] = inputs + PE[start_index : start_index + T]

    Differs from the paper: nothing with `variant="paper"`. The published code
    (`variant="reference"`) puts all sines before all cosines and spaces the
    wavelengths so that the last one is `max_wavelength`; the two are not
    permutations of each other, and weights trained on one do not fit the other.

    Masking: a Keras mask is propagated.

    Args:
        variant: `"paper"` or `"reference"`.
        max_wavelength: Positive float, 10000 in the paper.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        start_index: Position of the first element: int or int32 scalar tensor (in
            decoding, the number of elements already generated).

    Returns:
        [B, T, D]. The length is not limited.

    Example:

    >>> from keras_attention.layers import SinusoidalPositionEncoding
    >>> SinusoidalPositionEncoding()(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def __init__(self, variant: str = "paper", max_wavelength: float = 10000.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.variant = require_choice(variant, "variant", ("paper", "reference"))
        self.max_wavelength = require_number(max_wavelength, "max_wavelength", above=0)
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"`inputs` must be [B, T, D] with a known D. Received: inputs.shape={tuple(input_shape)}")

    def call(self, inputs: Tensor, start_index: int | Tensor = 0) -> Tensor:
        positions = ops.arange(ops.shape(inputs)[1], dtype="int32") + start_index
        encoding = sinusoidal(positions, inputs.shape[-1], self.variant, self.max_wavelength)
        return inputs + ops.cast(encoding, inputs.dtype)

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, start_index=0):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "variant": self.variant, "max_wavelength": self.max_wavelength}
