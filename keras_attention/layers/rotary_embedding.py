"""Rotary position embedding (RoPE)."""

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops import rotate
from keras_attention.ops.require import require_choice, require_number


@keras.saving.register_keras_serializable(package="keras_attention")
class RotaryEmbedding(BaseLayer):
    r"""Rotary position embedding (RoPE) of queries or keys.

    $$ f(x_p)_i = \begin{pmatrix} \cos p\theta_i & -\sin p\theta_i \\ \sin p\theta_i & \cos p\theta_i \end{pmatrix}
       x_{p,i}, \quad \theta_i = 10000^{-2i/H} $$

    as in "RoFormer", eq. 34 ([Su et al., 2021](https://arxiv.org/abs/2104.09864)),
    for each pair i of channels. Written out, with B batch, T length, N heads, H
    head size:

        output: [B, T, N, H] = rotate(inputs, start_index + [0 .. T-1])

    Apply it to the projected queries and keys (never to the values) and pass both to
    `ScaledDotProductAttention`; their dot products depend on positions only through
    `t - s`.

    Differs from the paper: nothing with `layout="interleaved"`. `"halves"` pairs
    channels (i, i + H/2), as many published checkpoints do.

    Masking: a Keras mask is propagated.

    Args:
        max_wavelength: Positive float, 10000 in the paper.
        layout: `"interleaved"` or `"halves"`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, N, H], H even.
        start_index: Position of the first element: int or int32 scalar tensor.

    Returns:
        [B, T, N, H].

    Raises:
        ValueError: If the rank of `inputs` is not 4, or H is odd or unknown.

    Example:

    >>> from keras_attention.layers import RotaryEmbedding
    >>> RotaryEmbedding()(keras.Input((None, 4, 16))).shape
    (None, None, 4, 16)
    """

    def __init__(self, max_wavelength=10000.0, layout="interleaved", **kwargs):
        super().__init__(**kwargs)
        self.max_wavelength = require_number(max_wavelength, "max_wavelength", above=0)
        self.layout = require_choice(layout, "layout", ("interleaved", "halves"))
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) != 4 or input_shape[-1] is None or input_shape[-1] % 2:
            raise ValueError(
                f"`inputs` must be [B, T, N, H] with an even H. Received: inputs.shape={tuple(input_shape)}"
            )

    def call(self, inputs, start_index=0):
        positions = ops.arange(ops.shape(inputs)[1], dtype="int32") + start_index
        return rotate(inputs, positions, self.layout, self.max_wavelength)

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, start_index=0):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "max_wavelength": self.max_wavelength, "layout": self.layout}
