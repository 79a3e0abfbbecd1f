"""Sinusoidal 2D position encoding."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import require_grid
from keras_attention.ops import sinusoidal_2d
from keras_attention.ops.require import require_choice, require_number
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class SinusoidalPositionEncoding2D(BaseLayer):
    r"""Sinusoidal 2D position encoding: adds sines and cosines of row and column. No weights.

    $$ y_{rc} = x_{rc} + [PE_{D/2}(r), \; PE_{D/2}(c)] $$

    as in "Image Transformer", section 3.2 ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)), with the
    sinusoids of `SinusoidalPositionEncoding`. Written out, with B batch, Y rows, X columns, D model width:

        output: [B, Y, X, D] = inputs + sinusoidal_2d(start_index[0] + [0..Y-1], start_index[1] + [0..X-1])

    Differs from the paper: the paper does not say how sines and cosines are ordered; with `variant="paper"` they are
    interleaved as in "Attention Is All You Need", with `"reference"`, the published code, all sines of a half come
    before its cosines, and the wavelengths are spaced so that the last one is `max_wavelength`.

    Masking: a Keras mask is propagated.

    Args:
        variant: `"paper"` or `"reference"`.
        max_wavelength: Positive float.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, D], D even.
        start_index: (row, column) of the first position: two ints or int32 scalar tensors.

    Returns:
        [B, Y, X, D]. The size is not limited.

    Example:

    >>> from keras_attention.layers import SinusoidalPositionEncoding2D
    >>> SinusoidalPositionEncoding2D()(keras.Input((None, None, 16))).shape
    (None, None, None, 16)
    """

    def __init__(self, variant: str = "paper", max_wavelength: float = 10000.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.variant = require_choice(variant, "variant", ("paper", "reference"))
        self.max_wavelength = require_number(max_wavelength, "max_wavelength", above=0)
        self.supports_masking = True

    def build(self, input_shape):
        require_grid(input_shape, even=True)

    def call(self, inputs: Tensor, start_index: Sequence[int | Tensor] = (0, 0)) -> Tensor:
        rows, columns = (ops.arange(n, dtype="int32") + first for n, first in zip(ops.shape(inputs)[1:3], start_index))
        encoding = sinusoidal_2d(rows, columns, inputs.shape[-1], self.variant, self.max_wavelength)
        return inputs + ops.cast(encoding, inputs.dtype)

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, start_index=(0, 0)):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "variant": self.variant, "max_wavelength": self.max_wavelength}
