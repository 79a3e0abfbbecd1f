"""Attention over any axes of a tensor."""

from keras_attention.ops.attention import attend_and_score
from keras_attention.ops.shapes.axes import fold_axes, fold_scores_like, unfold_axes, unfold_scores
from keras_attention.ops.shapes.sizes import shape_of


def attend_axes(
    query,
    key,
    value,
    axes,
    *,
    mask=None,
    query_mask=None,
    key_mask=None,
    bias=None,
    return_scores=False,
    chosen=None,
    **kwargs,
):
    """`attend` over the attended axes of [B, *middle, N, H]; padded positions hold finite numbers.

    Args:
        query, key, value: [B, *middle, N, H]; they differ in the attended axes only.
        axes: Tuple of ints: the attended axes.
        mask, bias: Broadcastable to the scores, see `fold_scores_like`; or a bias by distance.
        query_mask, key_mask: [B, *middle].
        return_scores: Whether to return the scores [B, *free, N, *query axes, *key axes] too.
        chosen: Integer tensor [R]: the scores are those of these queries alone, [B, *free, N, R, *key axes].
        **kwargs: Further arguments of `attend_unchecked`.

    Returns:
        context [B, *middle, N, V]; with `return_scores`, `(context, scores)`.
    """
    query_dims, key_dims = shape_of(query)[:-2], shape_of(key)[:-2]
    if bias is not None and len(bias.shape) > 3:
        bias = fold_scores_like(bias, axes, query_dims, key_dims)
    context = attend_and_score(
        *(fold_axes(x, axes, trailing=2) for x in (query, key, value)),
        chosen,
        mask=None if mask is None else fold_scores_like(mask, axes, query_dims, key_dims),
        query_mask=None if query_mask is None else fold_axes(query_mask, axes, trailing=0),
        key_mask=None if key_mask is None else fold_axes(key_mask, axes, trailing=0),
        bias=bias,
        return_scores=return_scores,
        **kwargs,
    )
    if not return_scores:
        return unfold_axes(context, axes, query_dims)
    context, scores = context
    rows = None if chosen is None else chosen.shape[0]
    return unfold_axes(context, axes, query_dims), unfold_scores(scores, axes, query_dims, key_dims, rows)
