"""Encoder block of the Transformer: self-attention, then a feed-forward network."""

import keras

from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.transformer_block import TransformerBlock
from keras_attention.ops import require_boolean
from keras_attention.ops.shapes.padding import zero_padding


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerEncoderBlock(TransformerBlock):
    r"""Self-attention and a feed-forward network, each with a residual and a normalisation.

    $$ x \leftarrow \mathrm{LN}(x + \mathrm{Dropout}(\mathrm{Attention}(x, x, x))), \quad
       x \leftarrow \mathrm{LN}(x + \mathrm{Dropout}(\mathrm{FFN}(x))) $$

    as in "Attention Is All You Need", section 3.1
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, N heads, D model width, H = key_dim:

        probs:  [B, N, T, T] = softmax(query . key / sqrt(H))
        x:      [B, T, D] = LN(inputs + drop(concat(probs . value) W_o))
        output: [B, T, D] = LN(x + drop(relu(x W_1 + b_1) W_2 + b_2))

    Differs from the paper: nothing by default. What the paper leaves open is as
    in its published code: no biases in the attention's projections, epsilon
    1e-6, Glorot uniform kernels. `norm_first=True` is the arrangement of that
    code's later versions, `x + Dropout(f(LN(x)))`, which trains without warm-up
    and wants one more normalisation after the last block; those versions also set
    `attention_dropout` to 0.1.

    Masking: padding is not attended to. `mask`, or the Keras mask of `inputs`,
    which is passed on.

    Args:
        num_heads: Positive int N.
        intermediate_dim: Positive int, the width inside the feed-forward network.
        key_dim: Size of a head of queries and keys; `None` means D // N.
        value_dim: Size of a head of values; `None` means D // N.
        dropout: Rate on what each sub-layer adds to the residual.
        attention_dropout: Rate on the attention's probabilities; 0 in the paper.
        activation: Of the feed-forward network.
        norm_first: Normalise what a sub-layer reads (pre-norm) instead of the sum
            (post-norm, the paper).
        use_bias: Whether the attention's four projections have biases.
        epsilon: Of the normalisations.
        kernel_initializer: Initialiser of all kernels.
        seed: Int, of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        mask: [B, T], true where there is no padding.
        attention_mask: [T, T], [B, T, T] or [B, N, T, T], true where the query may
            see the key.
        attention_bias: Added to the scores before the softmax: [B|1, N|1, T, T], or
            by distance [B|1, N, 2T-1] (see `ALiBi`, `RelativePositionBias`).
        use_causal_mask: Whether a position sees no later one.
        training: Whether dropout is on.
        return_attention_scores: If `True`, also return the probabilities.
        inputs_mask: The same as `mask`: so Keras calls the mask of `inputs` where
            other tensors are given too.

    Returns:
        [B, T, D], or the tuple of that and the probabilities [B, N, T, T].

    Example:

    >>> from keras_attention.layers import TransformerEncoderBlock
    >>> TransformerEncoderBlock(num_heads=4, intermediate_dim=64)(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def build(self, inputs_shape):
        self.self_attention = self._attention("self_attention", inputs_shape, inputs_shape, 1)
        self.self_attention_norm = self._norm("self_attention_norm", inputs_shape)
        self._build_feed_forward(inputs_shape)

    def call(
        self,
        inputs,
        mask=None,
        attention_mask=None,
        attention_bias=None,
        use_causal_mask=False,
        training=None,
        return_attention_scores=False,
        inputs_mask=None,
    ):
        mask = inputs_mask if mask is None else mask
        # NaN in padding would reach the gradients of the normalisations and of the feed-forward network.
        check_padding(mask, "mask", tuple(inputs.shape[:-1]), "the inputs")
        inputs = zero_padding(*self._autocast(inputs), require_boolean(mask, "mask"))
        x = self._enter(self.self_attention_norm, inputs)
        y = self.self_attention(
            x,
            x,
            query_mask=mask,
            value_mask=mask,
            attention_mask=attention_mask,
            attention_bias=attention_bias,
            use_causal_mask=use_causal_mask,
            training=training,
            return_attention_scores=return_attention_scores,
        )
        y, scores = y if return_attention_scores else (y, None)
        x = self._leave(self.self_attention_norm, inputs, y, training)
        y = self.feed_forward(self._enter(self.feed_forward_norm, x))
        output = self._leave(self.feed_forward_norm, x, y, training)
        return (output, scores) if return_attention_scores else output

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, *args, return_attention_scores=False, **kwargs):
        B, T, _ = inputs.shape
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        scores = keras.KerasTensor((B, self.num_heads, T, T), dtype=self.compute_dtype)
        return (output, scores) if return_attention_scores else output
