"""Luong's local attention: dot products with the keys in a window around a center of each query."""

from keras import ops

from keras_attention.ops.pair_checks import check_tiling, check_window
from keras_attention.ops.paths.scored_pairs import attend_pairs, mix, prepare
from keras_attention.ops.require import require_bool
from keras_attention.ops.shapes.axes import swap_last
from keras_attention.ops.windows import Window
from keras_attention.types import MaybeScores, Tensor


def windowed_attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    center: Tensor,
    half_width: float,
    *,
    gaussian: bool = True,
    renormalize: bool = False,
    mask: Tensor | None = None,
    query_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    return_scores: bool = False,
    block_size: int | None = None,
    device: str | None = None,
) -> MaybeScores:
    r"""Luong's local attention: dot products with the keys in a window, weighted by a Gaussian around its center.

    $$ a_t(s) = \mathrm{softmax}_{|s - p_t| \le D}(q_t \cdot k_s) \, \exp\left(-\frac{(s - p_t)^2}{2 \sigma^2}\right) $$

    as in "Effective Approaches to Attention-based Neural Machine Translation", section 3.2
    ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)), sigma = D / 2. The gradient reaches the center through the
    Gaussian only. Long inputs are computed in blocks of queries, as in `additive_attend`.

    Args:
        query: [B, T, U].
        key: [B, S, U].
        value: [B, S, V].
        center: [B, T], floating, counted in keys from 0.
        half_width: Positive number, D.
        gaussian: Whether to multiply the scores by the Gaussian.
        renormalize: Whether to apply the Gaussian before the softmax, so that the scores sum to 1.
        mask, query_mask, key_mask, return_scores, block_size, device: As for `additive_attend`.

    Returns:
        context [B, T, V] of the dtype of `value`; with `return_scores`, `(context, scores [B, T, S])`.

    Raises:
        ValueError: If shapes do not fit, a mask is floating, or an argument is out of its range.

    Example:

    >>> import keras
    >>> x = keras.ops.ones((2, 5, 4))
    >>> tuple(windowed_attend(x, x, x, center=keras.ops.ones((2, 5)), half_width=2).shape)
    (2, 5, 4)
    """
    query, key, value, center = (ops.convert_to_tensor(x) for x in (query, key, value, center))
    check_window(center, half_width, gaussian, renormalize)
    check_tiling(block_size, device)
    require_bool(return_scores, "return_scores")
    dtype, window = value.dtype, Window(half_width, gaussian, renormalize)
    (query, key, value), masks = prepare(query, key, value, mask, query_mask, key_mask, center)
    if return_scores:
        context, weights = mix(dot(query, key)[0], value, window=window, **masks)
        return ops.cast(context, dtype), ops.cast(weights, dtype)
    how = {"window": window, "block_size": block_size, "device": device}
    context = attend_pairs(query, key, value, dot, (), width=1, **how, **masks)
    return ops.cast(context, dtype)


def dot(query, key):
    """Logits [..., T, S] of [..., T, U] and [..., S, U], and their vector-Jacobian product with both."""

    def vjp(d_logits):
        return ops.matmul(d_logits, key), ops.matmul(swap_last(d_logits), query)

    return ops.matmul(query, swap_last(key)), vjp
