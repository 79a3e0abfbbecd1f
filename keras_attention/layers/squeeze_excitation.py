"""Squeeze-and-excitation (SE)."""

from typing import Unpack

import keras

from keras_attention.layers.bases.gate import ChannelGate
from keras_attention.types import Initializer, LayerOptions


@keras.saving.register_keras_serializable(package="keras_attention")
class SqueezeExcitation(ChannelGate):
    r"""Squeeze-and-excitation (SE): a channel gate from an MLP over globally average-pooled features.

    $$ s = \sigma(W_2 \, \mathrm{ReLU}(W_1 z)), \quad z_c = \mathrm{mean}_s(x_{sc}), \quad
       \tilde x_{sc} = s_c x_{sc} $$

    as in "Squeeze-and-Excitation Networks", eqs. 2 to 4 ([Hu et al., 2018](https://arxiv.org/abs/1709.01507)). Written
    out, with B batch, S positions in one, two or three axes ([T], [Y, X] or [Z, Y, X]), C channels, r = ratio:

        z:      [B, C]     = mean over S of inputs            (squeeze)
        hidden: [B, C / r] = ReLU(z W_1)
        gates:  [B, 1, C]  = sigmoid(hidden W_2)              (excitation)
        output: [B, *S, C] = inputs * gates

    Differs from the paper: nothing with `variant="paper"`, which has no biases. `"reference"` has them, b_1 and b_2, as
    in the authors' published networks. C / r is rounded down, but is at least 1.

    A new layer is not the identity: with zero weights it multiplies its input by 0.5. It solves a task whose class
    depends on a distant cue, which a small ResNet without it cannot (docs/examples/gated_digits.md); on Fashion-MNIST
    it did not raise the accuracy of one (docs/examples/attention_resnet_images.md).

    Weights: `reduce/kernel` [C, C/r], `expand/kernel` [C/r, C]; `reduce/bias` [C/r] and `expand/bias` [C] with
    `variant="reference"`. That is 2 C² / r parameters, or 2 C² / r + C / r + C.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. The mean ignores padding, even NaN; its output
    is 0.

    Args:
        ratio: Positive int r; 16 in the paper.
        variant: `"paper"`, without biases; `"reference"`, with.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, *S]); `None` means
            `keras.config.image_data_format()`.
        kernel_initializer: Initializer of both kernels; He's, as in the paper.
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

    >>> from keras_attention.layers import SqueezeExcitation
    >>> output, gates = SqueezeExcitation(ratio=4)(keras.ops.ones((2, 5, 7, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(gates.shape)
    ((2, 5, 7, 8), (2, 1, 1, 8))
    """

    def __init__(
        self,
        ratio: int = 16,
        variant: str = "paper",
        data_format: str | None = None,
        kernel_initializer: Initializer = "he_normal",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(ratio, ("avg",), variant, data_format, kernel_initializer, **kwargs)
