"""Dense attention, with all [B, N, T, S] logits at once: the definition, and the fast path for short lengths."""

import keras
from keras import ops

from keras_attention.ops.masks import NEGATIVE, hide, revive, visible_pairs
from keras_attention.ops.paths.hashed_random import column_hashes, keep, row_hashes
from keras_attention.ops.paths.toeplitz import shear
from keras_attention.ops.shapes.axes import swap_heads, swap_last
from keras_attention.ops.shapes.sizes import shape_of
from keras_attention.ops.softmax import capped, sinking_softmax


def dense_context(query, key, value, **rest):
    """The context of `dense` alone.

    In TensorFlow's eager mode, where every operation costs, by two `Einsum`s, which transpose within. In a graph
    products of transposed tensors are faster, above all their gradients.
    """
    plain = not rest["dropout"] and query.shape[2] == key.shape[2] and 0 not in (*query.shape, *key.shape)
    if not (plain and _runs_eagerly(query)):
        return dense(query, key, value, **rest)[0]
    import tensorflow as tf

    logits = tf.raw_ops.Einsum(inputs=[query, key], equation="BTNH,BSNH->BNTS")
    del rest["dropout"], rest["seed"]
    logits, sinks = capped(logits, rest.pop("logit_cap")), rest.pop("sinks")
    addend, alive = added_to_logits(query.shape[1], key.shape[1], dtype=query.dtype, **rest)
    logits = logits if addend is None else logits + addend
    probs = tf.nn.softmax(logits) if sinks is None else sinking_softmax(logits, sinks)
    context = tf.raw_ops.Einsum(inputs=[probs, value], equation="BNTS,BSNV->BTNV")
    return context if alive is None else context * ops.cast(ops.swapaxes(alive, 1, 2), context.dtype)


def _runs_eagerly(x):
    if keras.backend.backend() != "tensorflow" or isinstance(x, keras.KerasTensor):
        return False
    import tensorflow as tf

    return tf.executing_eagerly()


def dense(query, key, value, **rest):
    """Returns the context [B, T, N, V] and the probabilities [B, N, T, S]; arguments as for `attend`, query scaled.

    The query heads that share a key/value head are stacked along T, so that keys are never repeated. Products are
    `@`, here and in the tiles: `ops.matmul` computes float64 in float32 on PyTorch.
    """
    B, T, N, H = (*shape_of(query)[:2], *query.shape[2:])
    S, K = shape_of(key)[1], key.shape[2]
    query = ops.reshape(swap_heads(query), (B, K, N // K * T, H))
    # TensorFlow's graph and XLA multiply with the transpose of each matrix without making it.
    logits = ops.reshape(query @ swap_last(swap_heads(key)), (B, N, T, S))
    context, probs = weigh(logits, swap_heads(value), **rest)
    return swap_heads(context), probs


def dense_row(query, key, value, **rest):
    """`dense` of one query over keys and values as a cache holds them: nothing as long as they are is turned around.

    Args:
        query: [B, 1, N, H], scaled.
        key: [B, K, S, H].
        value: [B, K, S, V].
        **rest: As for `dense`.
    """
    (B, K, S, H), N = shape_of(key), query.shape[2]
    logits = ops.reshape(query, (B, K, N // K, H)) @ swap_last(key)
    context, probs = weigh(ops.reshape(logits, (B, N, 1, S)), value, **rest)
    return ops.reshape(context, (B, 1, N, value.shape[-1])), probs


def weigh(
    logits, value, *, mask, key_mask, causal, query_offset, window, bias, dropout, seed, logit_cap=None, sinks=None
):
    """From logits [B, N, T, S] and values [B, K, S, V] to the context [B, N, T, V] and the probabilities."""
    B, N, T, S = shape_of(logits)
    K = value.shape[1]
    masks = {"mask": mask, "key_mask": key_mask, "causal": causal, "query_offset": query_offset, "window": window}
    addend, alive = added_to_logits(T, S, bias=bias, dtype=logits.dtype, **masks)
    logits = capped(logits, logit_cap)
    probs = sinking_softmax(logits if addend is None else logits + addend, sinks)
    if alive is not None:
        probs = probs * ops.cast(alive, probs.dtype)
    kept = probs
    if dropout:
        batch, head, rows, columns = (ops.arange(n, dtype="int32") for n in (B, N, T, S))
        batch, head, rows = ops.expand_dims(batch, (1, 2, 3)), ops.expand_dims(head, (1, 2)), ops.expand_dims(rows, 1)
        kept = keep(row_hashes(seed, batch, head, rows), column_hashes(seed, columns), dropout)
        kept = ops.where(kept, probs * (1 / (1 - dropout)), 0.0)
    kept = ops.reshape(kept, (B, K, N // K * T, S))
    return ops.reshape(kept @ value, (B, N, T, value.shape[-1])), probs


def added_to_logits(T, S, *, mask, key_mask, bias, dtype, causal, query_offset, window):
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
    # Tensors: Keras would make numbers of the global dtype, in which -1e30 may be -inf.
    shown, hidden = (ops.convert_to_tensor(x, dtype) for x in (0.0, NEGATIVE))
    return ops.where(visible, shown, hidden), None if mask is None else ops.any(visible, axis=-1, keepdims=True)
