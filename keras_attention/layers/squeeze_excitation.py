"""Squeeze-and-excitation: the whole image says how much each channel counts."""

import keras

from keras_attention.layers.bases.gate import ChannelGate


@keras.saving.register_keras_serializable(package="keras_attention")
class SqueezeExcitation(ChannelGate):
    r"""Scales each channel by what all channels say, over the whole image.

    $$ s = \sigma(W_2 \, \mathrm{ReLU}(W_1 z)), \quad z_c = \mathrm{mean}_s(x_{sc}), \quad
       \tilde x_{sc} = s_c x_{sc} $$

    as in "Squeeze-and-Excitation Networks", eqs. 2 to 4
    ([Hu et al., 2018](https://arxiv.org/abs/1709.01507)). Written out, with B batch, S places in one, two or three axes
    ([T], [Y, X] or [Z, Y, X]), C channels, r = ratio:

        z:      [B, C]     = mean over S of inputs            (squeeze)
        hidden: [B, C / r] = ReLU(z W_1)
        gates:  [B, 1, C]  = sigmoid(hidden W_2)              (excitation)
        output: [B, *S, C] = inputs * gates

    Differs from the paper: nothing with `variant="paper"`, which has no biases. `"reference"` has them, b_1 and b_2,
    as the authors' published networks do. Where r does not divide C, C / r is rounded down, but is at least 1.

    The layer is not the identity when it is new: with weights of zero it halves its input.

    Weights: `reduce/kernel` [C, C/r], `expand/kernel` [C/r, C]; `reduce/bias` [C/r] and `expand/bias` [C] with
    `variant="reference"`. These are 2 C² / r weights, or 2 C² / r + C / r + C.

    Masking: images have no padding; where there is some (sequences), masked places do not count in the mean, NaN in
    them goes nowhere, and the mask is handed on. Their output is 0.

    Args:
        ratio: Positive int r; 16 in the paper.
        variant: `"paper"`, without biases; `"reference"`, with.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, *S]); `None` means
            `keras.config.image_data_format()`.
        kernel_initializer: Initialiser of both kernels; He's, as in the paper.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *S, C]: of rank 3, 4 or 5.
        mask: [B, *S], true = no padding; `None` means the Keras mask.
        training: Changes nothing.
        return_attention_scores: Whether to return the gates too.

    Returns:
        Tensor shaped like `inputs`; or (output, gates [B, 1, 1, C], for an image) with `return_attention_scores`.

    Raises:
        ValueError: If an argument is out of its range, the rank is none of these, C is unknown, or the mask does not
            fit.

    Example:

    >>> from keras_attention.layers import SqueezeExcitation
    >>> output, gates = SqueezeExcitation(ratio=4)(keras.ops.ones((2, 5, 7, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(gates.shape)
    ((2, 5, 7, 8), (2, 1, 1, 8))
    """

    def __init__(self, ratio=16, variant="paper", data_format=None, kernel_initializer="he_normal", **kwargs):
        super().__init__(ratio, ("avg",), variant, data_format, kernel_initializer, **kwargs)
