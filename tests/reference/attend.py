"""Scaled dot-product attention in NumPy loops, one query at a time, written from eq. 1 of the paper."""

import numpy as np


def attend(
    query,
    key,
    value,
    mask=None,
    query_mask=None,
    key_mask=None,
    bias=None,
    causal=False,
    query_offset=0,
    window=None,
    scale=None,
    keep=None,
    rate=0.0,
    logit_cap=None,
    sinks=None,
):
    """Context [B, T, N, V] and probabilities [B, N, T, S], in float64."""
    B, T, N, H = query.shape
    S, K = key.shape[1:3]
    scale = 1 / np.sqrt(H) if scale is None else scale
    context, probs = np.zeros((B, T, N, value.shape[-1])), np.zeros((B, N, T, S))
    mask = None if mask is None else np.broadcast_to(_four(mask), (B, N, T, S))
    for b, n, t in np.ndindex(B, N, T):
        k = n * K // N  # neighboring query heads share a key/value head
        seen = [
            s
            for s in range(S)
            if (mask is None or mask[b, n, t, s])
            and (query_mask is None or query_mask[b, t])
            and (key_mask is None or key_mask[b, s])
            and (not causal or s <= t + query_offset)
            and (window is None or abs(t + query_offset - s) < window)
            and _bias(bias, b, n, t, s, (B, N, T, S)) > -np.inf
        ]
        if not seen:
            continue
        logits = np.array([np.dot(query[b, t, n].astype("f8"), key[b, s, k]) * scale for s in seen])
        logits = logits if logit_cap is None else logit_cap * np.tanh(logits / logit_cap)
        logits = logits + [_bias(bias, b, n, t, s, (B, N, T, S)) for s in seen]
        sink = -np.inf if sinks is None else sinks[n]
        largest = max(logits.max(), sink)
        weights = np.exp(logits - largest)
        probs[b, n, t, seen] = weights / (weights.sum() + np.exp(sink - largest))
        for s in seen:
            kept = 1.0 if keep is None else keep[b, n, t, s] / (1 - rate)
            context[b, t, n] += kept * probs[b, n, t, s] * value[b, s, k]
    return context, probs


def _four(mask):
    return mask if mask.ndim == 4 else mask[:, None] if mask.ndim == 3 else mask[None, None]


def _bias(bias, b, n, t, s, shape):
    if bias is None:
        return 0.0
    if bias.ndim == 4:
        return np.broadcast_to(bias, shape)[b, n, t, s]
    return bias[b % bias.shape[0], n % bias.shape[1], s - t + shape[2] - 1]


def gradients(query, key, value, bias, probs, cotangent, scale=None, logit_cap=None):
    """Gradients of <cotangent, context> for query, key, value, bias and sinks, by name, from the probabilities."""
    (B, T, N, H), K = query.shape, key.shape[2]
    scale = 1 / np.sqrt(H) if scale is None else scale
    query, key, value = (x.astype("f8") for x in (query, key, value))
    d_query, d_key, d_value, d_logits = (np.zeros(x.shape) for x in (query, key, value, probs))
    d_sinks = np.zeros(N)
    for b, n, t in np.ndindex(B, N, T):
        k = n * K // N
        d_probs = value[b, :, k] @ cotangent[b, t, n]
        mean = probs[b, n, t] @ d_probs
        d = d_logits[b, n, t] = probs[b, n, t] * (d_probs - mean)
        d_sinks[n] -= (1 - probs[b, n, t].sum()) * mean
        if logit_cap is not None:
            d = d * (1 - np.tanh(scale * key[b, :, k] @ query[b, t, n] / logit_cap) ** 2)
        d_value[b, :, k] += np.outer(probs[b, n, t], cotangent[b, t, n])
        d_query[b, t, n] = scale * d @ key[b, :, k]
        d_key[b, :, k] += scale * np.outer(d, query[b, t, n])
    return {"query": d_query, "key": d_key, "value": d_value, "bias": _sum_to(d_logits, bias), "sinks": d_sinks}


def _sum_to(d_logits, bias):
    """The gradient of a bias that is broadcast or given by distance."""
    if bias is None:
        return None
    total, T = np.zeros(bias.shape), d_logits.shape[2]
    for b, n, t, s in np.ndindex(d_logits.shape):
        index = (b, n, t, s) if bias.ndim == 4 else (b, n, s - t + T - 1)
        total[tuple(i % d for i, d in zip(index, bias.shape, strict=True))] += d_logits[b, n, t, s]
    return total


def gradient_along(function, arrays, direction, cotangent, step=1e-5):
    """d/de <cotangent, function(arrays + e * direction)> at e = 0, by central differences in float64."""
    forward = function(*[a.astype("f8") + step * d for a, d in zip(arrays, direction, strict=True)])
    backward = function(*[a.astype("f8") - step * d for a, d in zip(arrays, direction, strict=True)])
    return np.sum(cotangent * (forward - backward)) / (2 * step)
