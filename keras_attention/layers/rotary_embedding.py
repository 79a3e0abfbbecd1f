"""Rotary position embedding (RoPE)."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_choice, require_int, require_number
from keras_attention.ops.rotary import LAYOUTS, require_scaling, rotate, rotated_channels
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class RotaryEmbedding(BaseLayer):
    r"""Rotary position embedding (RoPE) of queries or keys.

    $$ f(x_p)_i = \begin{pmatrix} \cos p\theta_i & -\sin p\theta_i \\ \sin p\theta_i & \cos p\theta_i \end{pmatrix}
       x_{p,i}, \quad \theta_i = 10000^{-2i/R} $$

    as in "RoFormer", eq. 34 ([Su et al., 2021](https://arxiv.org/abs/2104.09864)),
    for each pair i of channels. Written out, with B batch, T length, N heads, H
    head size, R = rotary_dim:

        output: [B, T, N, H] = [rotate(inputs[..., :R], start_index + [0 .. T-1]), inputs[..., R:]]

    `MultiHeadAttention(..., rotary=RotaryEmbedding())` applies it to its projected
    queries and keys. By hand, apply it to both (never to the values) and pass them to
    `ScaledDotProductAttention`; their dot products depend on positions only through
    `t - s`.

    Differs from the paper: nothing with `layout="interleaved"`. `"halves"` pairs
    channels (i, i + R/2), as many published checkpoints do.

    Masking: a Keras mask is propagated.

    Args:
        max_wavelength: Positive float, 10000 in the paper.
        layout: `"interleaved"` or `"halves"`.
        rotary_dim: Positive even int R, at most H: the channels of a head that are
            rotated. `None` means all.
        scaling: Dict of `ops.rotary_rates` for longer contexts than in training, or
            `None`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, N, H], H even.
        start_index: Position of the first element: int or int32 scalar tensor.

    Returns:
        [B, T, N, H].

    Raises:
        ValueError: If the rank of `inputs` is not 4, R is odd, or an argument is out of its range.

    Example:

    >>> from keras_attention.layers import RotaryEmbedding
    >>> RotaryEmbedding()(keras.Input((None, 4, 16))).shape
    (None, None, 4, 16)
    """

    def __init__(
        self,
        max_wavelength: float = 10000.0,
        layout: str = "interleaved",
        rotary_dim: int | None = None,
        scaling: dict[str, Any] | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = require_number(max_wavelength, "max_wavelength", above=0)
        self.layout = require_choice(layout, "layout", LAYOUTS)
        self.rotary_dim = require_int(rotary_dim, "rotary_dim", optional=True)
        self.scaling = require_scaling(scaling)
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) != 4:
            raise ValueError(f"`inputs` must be [B, T, N, H]. Received: inputs.shape={tuple(input_shape)}")
        rotated_channels(input_shape[-1], self.rotary_dim, f"inputs.shape={tuple(input_shape)}")

    def call(self, inputs: Tensor, start_index: int | Tensor = 0) -> Tensor:
        positions = ops.arange(ops.shape(inputs)[1], dtype="int32") + start_index
        return rotate(inputs, positions, self.layout, self.max_wavelength, self.rotary_dim, self.scaling)

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, start_index=0):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
            "layout": self.layout,
            "rotary_dim": self.rotary_dim,
            "scaling": self.scaling,
        }
