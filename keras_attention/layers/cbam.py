"""CBAM: channel attention followed by spatial attention."""

from collections.abc import Sequence
from typing import Unpack

import keras

from keras_attention.layers.bases.gate import Gate
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.channel_attention import ChannelAttention
from keras_attention.layers.spatial_attention import SpatialAttention
from keras_attention.ops.require import require_choice
from keras_attention.types import Initializer, LayerOptions

ORDERS = ("channel_spatial", "spatial_channel", "parallel")


@keras.saving.register_keras_serializable(package="keras_attention")
class CBAM(Gate):
    r"""Channel attention followed by spatial attention (CBAM).

    $$ F' = M_c(F) \odot F, \quad F'' = M_s(F') \odot F' $$

    as in "CBAM: Convolutional Block Attention Module", eq. 1 ([Woo et al., 2018](https://arxiv.org/abs/1807.06521)),
    with M_c of `ChannelAttention` and M_s of `SpatialAttention`. Written out, with B batch, S positions in one, two or
    three axes, C channels:

        F':     [B, *S, C] = inputs * channel gates of inputs [B, 1, C]
        output: [B, *S, C] = F' * spatial gates of F' [B, *S, 1]

    `order="spatial_channel"` applies the spatial attention first; `"parallel"` computes both gates from the input and
    multiplies it by both. The paper tries these orders and does not say how the parallel gates are combined.

    Differs from the paper: nothing with `variant="paper"`. `"reference"` is its published code: biases in the MLP of
    the channels; [max; mean] instead of [mean; max], and batch normalization with gamma 0 after the convolution (see
    the two layers). A new layer is not the identity in either: with zero weights the output is a quarter of the input.

    It solves a task whose class depends on a distant cue, which a small ResNet without it cannot
    (docs/examples/gated_digits.md); on Fashion-MNIST it did not raise the accuracy of one
    (docs/examples/attention_resnet_images.md).

    Weights: those of `ChannelAttention` under `channel`, those of `SpatialAttention` under `spatial`; in an image
    2 C² / r + 2 k², with r = ratio and k = kernel_size, and C / r + C + 2 more (and 2 non-trainable) in the reference.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding, even NaN, is ignored; its output is 0.

    Args:
        ratio: Positive int r, the reduction of the channel MLP; 16 in the paper. C / r is rounded down, but is at least
            1.
        kernel_size: Positive odd int k of the spatial convolution; 7 in the paper.
        pools: The pools of the channel attention; see `ChannelAttention`.
        order: `"channel_spatial"` (the paper's choice), `"spatial_channel"` or `"parallel"`.
        variant: `"paper"` or `"reference"`.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, *S]); `None` means
            `keras.config.image_data_format()`.
        kernel_initializer: Initializer of all kernels.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *S, C], of rank 3, 4 or 5.
        mask: [B, *S]. True marks positions that take part; `None` means the Keras mask.
        training: Whether batch normalization uses the batch's statistics; only with `variant="reference"`.
        return_attention_scores: Whether to also return the gates.

    Returns:
        Tensor shaped like `inputs`; or, with `return_attention_scores`, (output, gates): for an image
        `{"channel": [B, 1, 1, C], "spatial": [B, Y, X, 1]}`.

    Raises:
        ValueError: If an argument is out of range, the rank is not 3, 4 or 5, C is unknown, or the mask does not fit.

    Example:

    >>> from keras_attention.layers import CBAM
    >>> output, gates = CBAM(ratio=4)(keras.ops.ones((2, 5, 7, 8)), return_attention_scores=True)
    >>> {name: tuple(gate.shape) for name, gate in gates.items()}
    {'channel': (2, 1, 1, 8), 'spatial': (2, 5, 7, 1)}
    """

    def __init__(
        self,
        ratio: int = 16,
        kernel_size: int = 7,
        pools: Sequence[str] = ("avg", "max"),
        order: str = "channel_spatial",
        variant: str = "paper",
        data_format: str | None = None,
        kernel_initializer: Initializer = "he_normal",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(variant, data_format, kernel_initializer, **kwargs)
        self.order = require_choice(order, "order", ORDERS)
        shared = {"variant": variant, "data_format": self.data_format, "dtype": self.dtype_policy}
        self.channel = ChannelAttention(
            ratio, pools, kernel_initializer=clone(self.kernel_initializer), name="channel", **shared
        )
        self.spatial = SpatialAttention(
            kernel_size, kernel_initializer=clone(self.kernel_initializer), name="spatial", **shared
        )
        self.ratio, self.kernel_size, self.pools = self.channel.ratio, self.spatial.kernel_size, self.channel.pools

    def build(self, input_shape):
        self.channel.build(input_shape)
        self.spatial.build(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "kernel_size": self.kernel_size,
            "pools": list(self.pools),
            "order": self.order,
        }

    def _apply(self, inputs, mask, training):
        gates, output = {}, inputs
        names = ("spatial", "channel") if self.order == "spatial_channel" else ("channel", "spatial")
        for name in names:
            gated, gates[name] = getattr(self, name)(
                inputs if self.order == "parallel" else output,
                mask=mask,
                training=training,
                return_attention_scores=True,
            )
            output = output * gates[name] if self.order == "parallel" else gated
        return output, {name: gates[name] for name in ("channel", "spatial")}

    def _gate_dims(self, dims):
        return {"channel": self.channel._gate_dims(dims), "spatial": self.spatial._gate_dims(dims)}
