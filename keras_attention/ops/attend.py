"""Scaled dot-product attention: score, who may be seen, normalise, mix. Written once, for every layer.

    logits:  [B, N, T, S] = query . key * scale + bias
    probs:   [B, N, T, S] = softmax over S of logits, where visible
    context: [B, T, N, V] = probs . value

Letters: B batch, T queries, S keys, N heads, K key/value heads, H head size, V value head size.
"""

from keras import ops

from keras_attention.ops.masks import both, in_band, require_boolean
from keras_attention.ops.softmax import masked_softmax


def attend(
    query,
    key,
    value,
    *,
    mask=None,
    query_mask=None,
    key_mask=None,
    bias=None,
    causal=False,
    query_offset=0,
    window=None,
    scale=None,
    dropout=0.0,
    seed=None,
    return_scores=False,
    block_size=None,
):
    T, S = ops.shape(query)[1], ops.shape(key)[1]
    mask, query_mask, key_mask = require_boolean(mask), require_boolean(query_mask), require_boolean(key_mask)
    groups = query.shape[2] // key.shape[2]
    if groups > 1:
        key, value = ops.repeat(key, groups, axis=2), ops.repeat(value, groups, axis=2)
    if key_mask is not None:
        key = ops.where(key_mask[:, :, None, None], key, ops.zeros_like(key))
        value = ops.where(key_mask[:, :, None, None], value, ops.zeros_like(value))
    if query_mask is not None:
        query = ops.where(query_mask[:, :, None, None], query, ops.zeros_like(query))
    if scale is None:
        scale = query.shape[-1] ** -0.5
    logits = ops.einsum("BTNH,BSNH->BNTS", ops.cast(query, "float32"), ops.cast(key, "float32")) * scale
    if bias is not None:
        logits = logits + ops.cast(_dense_bias(bias, T, S), "float32")
    if mask is not None:
        mask = mask if len(mask.shape) == 4 else (mask[None, None] if len(mask.shape) == 2 else mask[:, None])
    if causal or window is not None:
        band = in_band(ops.arange(T)[:, None] + query_offset, ops.arange(S)[None], causal, window)
        mask = both(mask, band[None, None])
    if query_mask is not None:
        mask = both(mask, query_mask[:, None, :, None])
    if key_mask is not None:
        mask = both(mask, key_mask[:, None, None, :])
    probs = ops.cast(masked_softmax(logits, mask), value.dtype)
    context = ops.einsum("BNTS,BSNH->BTNH", probs, value)
    return (context, probs) if return_scores else context


def _dense_bias(bias, T, S):
    if len(bias.shape) == 4:
        return bias
    return ops.take(bias, ops.arange(S)[None] - ops.arange(T)[:, None] + T - 1, axis=-1)
