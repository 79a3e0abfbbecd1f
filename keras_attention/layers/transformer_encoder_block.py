"""Encoder block of the Transformer."""

import keras

from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.transformer_block import TransformerBlock
from keras_attention.ops import require_boolean
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.types import MaybeScores, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerEncoderBlock(TransformerBlock):
    r"""Transformer encoder block: self-attention and a feed-forward network, with residuals and normalization.

    $$ x \leftarrow \mathrm{LN}(x + \mathrm{Dropout}(\mathrm{Attention}(x, x, x))), \quad
       x \leftarrow \mathrm{LN}(x + \mathrm{Dropout}(\mathrm{FFN}(x))) $$

    as in "Attention Is All You Need", section 3.1
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, N heads, D model width, H = key_dim:

        scores: [B, N, T, T] = softmax(query . key / sqrt(H))
        x:      [B, T, D] = LN(inputs + drop(concat(scores . value) W_o))
        output: [B, T, D] = LN(x + drop(relu(x W_1 + b_1) W_2 + b_2))

    Differs from the paper: nothing by default. What the paper leaves open is as in its
    published code: no biases in the attention's projections, epsilon 1e-6, Glorot
    uniform kernels. `norm_first=True` is the pre-norm arrangement of that code's later
    versions, `x + Dropout(f(LN(x)))`, which trains without warm-up and needs one more
    normalization after the last block; those versions also set `attention_dropout` to
    0.1.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding is not
    attended to.

    Args:
        num_heads: Positive int N.
        intermediate_dim: Positive int, the width inside the feed-forward network.
        key_dim: Int, size of a head of queries and keys; `None` means D // N.
        value_dim: Int, size of a head of values; `None` means D // N.
        dropout: Float in [0, 1), dropout rate on the output of each sub-layer.
        attention_dropout: Float in [0, 1), dropout rate on the scores; 0 in the paper.
        activation: Activation of the feed-forward network: a name or function of Keras,
            or `"gelu_tanh"`, the approximation of GELU by tanh.
        norm_first: Whether to normalize the input of a sub-layer (pre-norm) instead of
            the sum (post-norm, as in the paper).
        use_bias: Whether the attention's four projections have biases.
        epsilon: Positive float, of the layer normalizations.
        kernel_initializer: Initializer of all kernels.
        seed: Int, seed of the dropout.
        attention: What the self-attention has beyond the arguments above: a dict of
            further arguments of `MultiHeadAttention` (`num_key_value_heads`, `rotary`,
            `sliding_window`, ...); or a layer, called as it, in its place.
        feed_forward: Dict of further arguments of `FeedForward`; or a layer in its
            place, such as `GatedFeedForward`.
        norm: `"layer"`, layer normalization, or `"rms"`, `RMSNormalization`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        mask: [B, T]. True marks positions that take part.
        attention_mask: [T, T], [B, T, T] or [B, N, T, T]. True marks positions that
            take part.
        attention_bias: Added to the logits: [B|1, N|1, T, T], or by distance
            [B|1, N, 2T-1] (see `ALiBi`, `RelativePositionBias`).
        use_causal_mask: Whether a position attends to no later one.
        training: Whether to apply dropout.
        return_attention_scores: Whether to also return the scores.
        inputs_mask: The same as `mask`: the name under which Keras passes the mask of
            `inputs` where other tensors are given too.

    Returns:
        [B, T, D]; or (output, scores [B, N, T, T]) with `return_attention_scores`.

    Example:

    >>> from keras_attention.layers import TransformerEncoderBlock
    >>> TransformerEncoderBlock(num_heads=4, intermediate_dim=64)(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def build(self, inputs_shape):
        self.self_attention = self._attention("self_attention", inputs_shape, inputs_shape, 1, self.attention)
        self.self_attention_norm = self._norm("self_attention_norm", inputs_shape)
        self._build_feed_forward(inputs_shape)

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        attention_bias: Tensor | None = None,
        use_causal_mask: bool = False,
        training: bool | None = None,
        return_attention_scores: bool = False,
        inputs_mask: Tensor | None = None,
    ) -> MaybeScores:
        mask = inputs_mask if mask is None else mask
        # NaN in padding would reach the gradients of the normalizations and the feed-forward network.
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
