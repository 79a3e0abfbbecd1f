"""Attention with all of its [B, N, T, S] logits at once: the definition, and the fast way for short lengths."""

from keras import ops

from keras_attention.ops.distances import shear
from keras_attention.ops.dropout import column_hashes, keep, row_hashes
from keras_attention.ops.masks import both, in_band
from keras_attention.ops.softmax import NEGATIVE, softmax


def dense(query, key, value, *, mask, key_mask, causal, query_offset, window, bias, dropout, seed):
    """Returns the context [B, T, N, V] and the probabilities [B, N, T, S]; arguments as for `attend`, query scaled.

    The query heads that share a key/value head lie below one another, so that keys are never repeated.
    """
    B, T, N, H = (*ops.shape(query)[:2], *query.shape[2:])
    S, K = ops.shape(key)[1], key.shape[2]
    query = ops.reshape(ops.transpose(query, (0, 2, 1, 3)), (B, K, N // K * T, H))
    logits = ops.reshape(ops.matmul(query, ops.transpose(key, (0, 2, 3, 1))), (B, N, T, S))
    if bias is not None:
        bias = ops.cast(bias, "float32")
        logits = logits + (bias if len(bias.shape) == 4 else shear(bias, T, S))
    rows, columns = ops.arange(T, dtype="int32")[:, None], ops.arange(S, dtype="int32")
    visible = both(mask, in_band(rows + query_offset, columns[None, :], causal, window))
    visible = both(visible, None if key_mask is None else key_mask[:, None, None, :])
    if visible is not None:
        logits = logits + ops.where(visible, 0.0, NEGATIVE)
    probs = softmax(logits)
    if mask is not None:  # else which rows see nothing is known without looking at [T, S], and the caller's to zero
        probs = probs * ops.cast(ops.any(visible, axis=-1, keepdims=True), probs.dtype)
    kept = probs
    if dropout:
        batch, head = ops.arange(B, dtype="int32")[:, None, None, None], ops.arange(N, dtype="int32")[:, None, None]
        kept = keep(row_hashes(seed, batch, head, rows), column_hashes(seed, columns), dropout)
        kept = ops.where(kept, probs * (1 / (1 - dropout)), 0.0)
    kept = ops.reshape(kept, (B, K, N // K * T, S))
    context = ops.matmul(kept, ops.transpose(value, (0, 2, 1, 3)))
    return ops.transpose(ops.reshape(context, (B, N, T, value.shape[-1])), (0, 2, 1, 3)), probs
