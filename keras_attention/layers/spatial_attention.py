"""Spatial attention of CBAM."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.gate import Gate
from keras_attention.ops import spatial_pool
from keras_attention.ops.require import require_int
from keras_attention.types import Initializer, LayerOptions

CONVOLUTIONS = {3: keras.layers.Conv1D, 4: keras.layers.Conv2D, 5: keras.layers.Conv3D}


@keras.saving.register_keras_serializable(package="keras_attention")
class SpatialAttention(Gate):
    r"""Spatial attention (CBAM): a spatial gate from a convolution over the mean and max of the channels.

    $$ M_s(F) = \sigma(f^{7 \times 7}([\mathrm{mean}_c F; \max_c F])), \quad F' = M_s(F) \odot F $$

    as in "CBAM: Convolutional Block Attention Module", eq. 3 ([Woo et al., 2018](https://arxiv.org/abs/1807.06521)).
    Written out, with B batch, S positions in one, two or three axes, C channels, k = kernel_size:

        pools:  [B, *S, 2] = [mean over C; max over C] of inputs
        gates:  [B, *S, 1] = sigmoid(pools convolved with a kernel [k, ..., k, 2, 1])
        output: [B, *S, C] = inputs * gates

    The convolution pads with zeros; a map may be smaller than the kernel.

    Differs from the paper: nothing with `variant="paper"`. `"reference"` is its published code: the pools are
    [max; mean], and batch normalization follows the convolution (momentum 0.99, PyTorch's 0.01; epsilon 1e-5) with
    gamma initialized to 0, as in the published networks, so that a new layer multiplies its input by 0.5. In both the
    convolution has no bias.

    Weights: `conv/kernel` [k, ..., k, 2, 1]; `norm/gamma`, `norm/beta`, `norm/moving_mean`, `norm/moving_variance`
    [1] with `variant="reference"`.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding, even NaN, is replaced by zeros, like
    the border; its output is 0. The batch normalization of the reference counts the logits of padding.

    Args:
        kernel_size: Positive odd int k; 7 in the paper, which also tries 3.
        variant: `"paper"` or `"reference"`.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, *S]); `None` means
            `keras.config.image_data_format()`.
        kernel_initializer: Initializer of the kernel.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *S, C], of rank 3, 4 or 5.
        mask: [B, *S]. True marks positions that take part; `None` means the Keras mask.
        training: Whether batch normalization uses the batch's statistics; only with `variant="reference"`.
        return_attention_scores: Whether to also return the gates.

    Returns:
        Tensor shaped like `inputs`; or (output, gates [B, Y, X, 1], for an image) with `return_attention_scores`.

    Raises:
        ValueError: If an argument is out of range, the rank is not 3, 4 or 5, C is unknown, or the mask does not fit.

    Example:

    >>> from keras_attention.layers import SpatialAttention
    >>> output, gates = SpatialAttention()(keras.ops.ones((2, 5, 7, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(gates.shape)
    ((2, 5, 7, 8), (2, 5, 7, 1))
    """

    def __init__(
        self,
        kernel_size: int = 7,
        variant: str = "paper",
        data_format: str | None = None,
        kernel_initializer: Initializer = "he_normal",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(variant, data_format, kernel_initializer, **kwargs)
        self.kernel_size = require_int(kernel_size, "kernel_size", odd=True)

    def build(self, input_shape):
        self._channels(input_shape)
        positions = tuple(self._positions_shape(input_shape))
        # The pools are stacked on the last axis, whatever the data format of the image.
        self.conv = CONVOLUTIONS[len(input_shape)](
            1,
            self.kernel_size,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=self.kernel_initializer,
            name="conv",
            dtype=self.dtype_policy,
        )
        self.conv.build((*positions, 2))
        self.norm = None
        if self.variant == "reference":
            self.norm = keras.layers.BatchNormalization(
                momentum=0.99, epsilon=1e-5, gamma_initializer="zeros", name="norm", dtype=self.dtype_policy
            )
            self.norm.build((*positions, 1))

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}

    def shared_axes(self, rank: int) -> tuple[int, ...]:
        """The axis of the channels."""
        return (self._axis % rank,)

    def _apply(self, inputs, mask, training):
        mean, maximum = spatial_pool(inputs, self._axis)
        pools = [mean, maximum] if self.variant == "paper" else [maximum, mean]
        logits = self.conv(ops.stack(pools, axis=-1))
        if self.norm is not None:
            logits = self.norm(logits, training=training)
        gates = ops.expand_dims(ops.sigmoid(logits[..., 0]), self._axis)
        return inputs * gates, gates

    def _gate_dims(self, dims):
        return (*dims[:-1], 1) if self._axis == -1 else (dims[0], 1, *dims[2:])
