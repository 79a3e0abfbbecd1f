"""Channel attention of CBAM."""

from collections.abc import Sequence
from typing import Unpack

import keras

from keras_attention.layers.bases.gate import ChannelGate
from keras_attention.ops.gates import POOLS
from keras_attention.ops.require import require_choice
from keras_attention.types import Initializer, LayerOptions


@keras.saving.register_keras_serializable(package="keras_attention")
class ChannelAttention(ChannelGate):
    r"""Channel attention (CBAM): a channel gate from a shared MLP over average- and max-pooled features.

    $$ M_c(F) = \sigma(\mathrm{MLP}(\mathrm{mean}_s F) + \mathrm{MLP}(\max_s F)), \quad
       \mathrm{MLP}(z) = W_1 \mathrm{ReLU}(W_0 z), \quad F' = M_c(F) \odot F $$

    as in "CBAM: Convolutional Block Attention Module", eq. 2 ([Woo et al., 2018](https://arxiv.org/abs/1807.06521)).
    Written out, with B batch, S positions in one, two or three axes, C channels, r = ratio, P pools:

        pools:  P times [B, C] = mean over S of inputs, max over S of inputs
        gates:  [B, 1, C]      = sigmoid(sum over P of ReLU(pool W_0) W_1)
        output: [B, *S, C]     = inputs * gates

    Differs from the paper: nothing with `variant="paper"`. `"reference"` has biases, b_0 and b_1, as the published
    code; each pool passes through the whole MLP, so that b_1 is added P times. That code has PyTorch's default
    initializer, U(±1/sqrt(fan in)); here the default is He's. C / r is rounded down, but is at least 1.

    With `pools=("avg",)` it equals `SqueezeExcitation`.

    Weights: `reduce/kernel` [C, C/r], `expand/kernel` [C/r, C], shared by all pools; `reduce/bias` [C/r] and
    `expand/bias` [C] with `variant="reference"`.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Pools ignore padding, even NaN; its output is
    0.

    Args:
        ratio: Positive int r; 16 in the paper.
        pools: Which of `"avg"`, `"max"`, `"lp"` (root of the sum of squares) and `"lse"` (log of the sum of
            exponentials); the first two in the paper, the others in its published code. See `ops.channel_pool`.
        variant: `"paper"`, without biases; `"reference"`, with.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, *S]); `None` means
            `keras.config.image_data_format()`.
        kernel_initializer: Initializer of both kernels.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *S, C], of rank 3, 4 or 5.
        mask: [B, *S]. True marks positions that take part; `None` means the Keras mask.
        training: Ignored.
        return_attention_scores: Whether to also return the gates.

    Returns:
        Tensor shaped like `inputs`; or (output, gates [B, 1, 1, C], for an image) with `return_attention_scores`.

    Raises:
        ValueError: If an argument is out of range, the rank is not 3, 4 or 5, C is unknown, or the mask does not fit.

    Example:

    >>> from keras_attention.layers import ChannelAttention
    >>> tuple(ChannelAttention(ratio=4)(keras.ops.ones((2, 5, 7, 8))).shape)
    (2, 5, 7, 8)
    """

    def __init__(
        self,
        ratio: int = 16,
        pools: Sequence[str] = ("avg", "max"),
        variant: str = "paper",
        data_format: str | None = None,
        kernel_initializer: Initializer = "he_normal",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        if not isinstance(pools, list | tuple) or not pools:
            raise ValueError(f"`pools` must be a tuple of names, at least one. Received: pools={pools!r}")
        for pool in pools:
            require_choice(pool, "pools", tuple(POOLS))
        super().__init__(ratio, tuple(pools), variant, data_format, kernel_initializer, **kwargs)
        self.pools = tuple(pools)

    def get_config(self):
        return {**super().get_config(), "pools": list(self.pools)}
