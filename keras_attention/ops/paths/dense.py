"""Dense attention, with all [B, N, T, S] logits at once: the definition, and the fast path for short lengths."""

import keras
from keras import ops

from keras_attention.ops.masks import NEGATIVE, hide, revive, visible_pairs
from keras_attention.ops.paths.hashed_random import column_hashes, keep, row_hashes
from keras_attention.ops.paths.toeplitz import shear
from keras_attention.ops.shapes.axes import swap_last
from keras_attention.ops.shapes.sizes import shape_of
from keras_attention.ops.softmax import softmax


def dense_context(query, key, value, *, scale, mask, key_mask, causal, query_offset, window, bias, dropout, seed):
    """The context of `dense` alone, with `scale`.

    On TensorFlow by Keras's attention, whose two products transpose within one operation each: in eager mode every
    operation costs.
    """
    band = {"causal": causal, "query_offset": query_offset, "window": window}
    shared = query.shape[2] != key.shape[2]
    elsewhere = keras.backend.backend() != "tensorflow" or isinstance(query, keras.KerasTensor)
    if dropout or shared or elsewhere or 0 in (*query.shape, *key.shape):
        rest = {"mask": mask, "key_mask": key_mask, "bias": bias, "dropout": dropout, "seed": seed, **band}
        return dense(query * scale, key, value, **rest)[0]
    sizes = shape_of(query)[1], shape_of(key)[1]
    addend, alive = _addend(*sizes, mask, key_mask, bias, query.dtype, **band)
    context = ops.dot_product_attention(query, key, value, bias=addend, scale=scale, flash_attention=False)
    return context if alive is None else context * ops.cast(ops.swapaxes(alive, 1, 2), context.dtype)


def dense(query, key, value, **rest):
    """Returns the context [B, T, N, V] and the probabilities [B, N, T, S]; arguments as for `attend`, query scaled.

    The query heads that share a key/value head are stacked along T, so that keys are never repeated. Products are
    `@`, here and in the tiles: `ops.matmul` computes float64 in float32 on PyTorch.
    """
    B, T, N, H = (*ops.shape(query)[:2], *query.shape[2:])
    S, K = ops.shape(key)[1], key.shape[2]
    query = ops.reshape(ops.transpose(query, (0, 2, 1, 3)), (B, K, N // K * T, H))
    logits = ops.reshape(query @ ops.transpose(key, (0, 2, 3, 1)), (B, N, T, S))
    context, probs = weigh(logits, ops.transpose(value, (0, 2, 1, 3)), **rest)
    return ops.transpose(context, (0, 2, 1, 3)), probs


def dense_row(query, key, value, **rest):
    """`dense` of one query over keys and values as a cache holds them: nothing as long as they are is turned around.

    Args:
        query: [B, 1, N, H], scaled.
        key: [B, K, S, H].
        value: [B, K, S, V].
        **rest: As for `dense`.
    """
    (B, K, S, H), N = ops.shape(key), query.shape[2]
    # TensorFlow's graph and XLA multiply with the transpose of each matrix without making it.
    logits = ops.reshape(query, (B, K, N // K, H)) @ swap_last(key)
    context, probs = weigh(ops.reshape(logits, (B, N, 1, S)), value, **rest)
    return ops.reshape(context, (B, 1, N, value.shape[-1])), probs


def weigh(logits, value, *, mask, key_mask, causal, query_offset, window, bias, dropout, seed):
    """From logits [B, N, T, S] and values [B, K, S, V] to the context [B, N, T, V] and the probabilities."""
    B, N, T, S = ops.shape(logits)
    K = value.shape[1]
    addend, alive = _addend(T, S, mask, key_mask, bias, logits.dtype, causal, query_offset, window)
    probs = softmax(logits if addend is None else logits + addend)
    if alive is not None:
        probs = probs * ops.cast(alive, probs.dtype)
    kept = probs
    if dropout:
        batch, head = ops.arange(B, dtype="int32")[:, None, None, None], ops.arange(N, dtype="int32")[:, None, None]
        rows, columns = ops.arange(T, dtype="int32")[:, None], ops.arange(S, dtype="int32")
        kept = keep(row_hashes(seed, batch, head, rows), column_hashes(seed, columns), dropout)
        kept = ops.where(kept, probs * (1 / (1 - dropout)), 0.0)
    kept = ops.reshape(kept, (B, K, N // K * T, S))
    return ops.reshape(kept @ value, (B, N, T, value.shape[-1])), probs


def _addend(T, S, mask, key_mask, bias, dtype, causal, query_offset, window):
    """What is added to the logits, finite, and which rows see a key, both broadcastable to [B, N, T, S], or `None`.

    Without a mask or a bias the caller knows which rows see no key without [T, S], and zeroes them.
    """
    by_distance = bias is not None and len(bias.shape) == 3  # causality and the window are in the bias already
    if by_distance:
        causal, window = False, None
    visible = visible_pairs(T, S, mask, key_mask, causal, query_offset, window)
    if bias is not None:
        return revive(hide(shear(bias, T, S) if by_distance else bias, visible))
    if visible is None:
        return None, None
    # Arithmetic is faster than a selection; 0 where visible, exactly.
    penalty = (ops.cast(visible, dtype) - 1.0) * -NEGATIVE
    return penalty, None if mask is None else ops.any(visible, axis=-1, keepdims=True)
