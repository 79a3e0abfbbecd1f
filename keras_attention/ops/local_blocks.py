"""Local attention over a sequence or an image."""

from keras import ops

from keras_attention.ops.attend import attend_finite
from keras_attention.ops.local_masks import sees


def attend_locally(query, key, value, blocks, *, mask=None, dropout=0.0, seed=None, return_scores=False):
    """Context [B, Y, X, N, V] and, if asked for, scores [B, N, Y, X, Y, X].

    Args:
        query, key, value: [B, Y, X, N, H or V].
        blocks: `Blocks`.
        mask: Boolean [B, Y, X], true = no padding; what stands in padding is finite.
        dropout, seed: As for `attend`.
        return_scores: Whether to return the scores too.
    """
    Y, X = ops.shape(query)[1:3]
    rows, columns = ops.arange(Y, dtype="int32")[:, None], ops.arange(X, dtype="int32")
    rows, columns = (ops.reshape(ops.broadcast_to(x, (Y, X)), (-1,)) for x in (rows, columns))
    visible = sees((rows[:, None], columns[:, None]), (rows, columns), blocks)
    flat = [ops.reshape(x, (-1, Y * X, *x.shape[-2:])) for x in (query, key, value)]
    mask = None if mask is None else ops.reshape(mask, (-1, Y * X))
    rest = {"mask": visible, "query_mask": mask, "key_mask": mask, "dropout": dropout, "seed": seed}
    result = attend_finite(*flat, return_scores=return_scores, **rest)
    context, *scores = result if return_scores else (result,)
    context = ops.reshape(context, (-1, Y, X, *context.shape[-2:]))
    if not return_scores:
        return context
    return context, ops.reshape(scores[0], (-1, scores[0].shape[1], Y, X, Y, X))
