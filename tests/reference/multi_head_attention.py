"""Multi-head attention in NumPy loops over heads and queries, written from section 3.2 of the paper."""

import numpy as np


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def attention(Q, K, V, sees=None, scale=None, bias=None):
    """Equation 1 for one head: Q [T, dk], K [S, dk], V [S, dv] -> (context [T, dv], weights [T, S])."""
    T, S = len(Q), len(K)
    context, weights = np.zeros((T, V.shape[1])), np.zeros((T, S))
    scale = 1 / np.sqrt(Q.shape[1]) if scale is None else scale
    for t in range(T):
        seen = [s for s in range(S) if sees is None or sees[t, s]]
        if not seen:
            continue
        logits = np.array([sum(Q[t] * K[s]) * scale for s in seen])
        if bias is not None:
            logits = logits + bias[t, seen]
        weights[t, seen] = softmax(logits)
        for s in seen:
            context[t] += weights[t, s] * V[s]
    return context, weights


def multi_head(query, value, key, weights, sees=None, bias=None):
    """Concat(head_1, ..., head_h) W^O for each sample of the batch.

    Args:
        query: [B, T, D]; value: [B, S, Dv]; key: [B, S, Dk].
        weights: Of `keras.layers.MultiHeadAttention`, by name: query, key, value, output, each
            (kernel, bias). With fewer key/value heads, each is shared by a group of query heads.
        sees: Boolean [B, N, T, S]; True marks visible keys.
        bias: [B, N, T, S].

    Returns:
        output [B, T, E], scores [B, N, T, S].
    """
    (W_q, b_q), (W_k, b_k), (W_v, b_v), (W_o, b_o) = (weights[n] for n in ("query", "key", "value", "output"))
    B, T, N, K, S = len(query), query.shape[1], W_q.shape[1], W_k.shape[1], key.shape[1]
    output, scores = np.zeros((B, T, W_o.shape[-1])), np.zeros((B, N, T, S))
    for b in range(B):
        heads = []
        for n in range(N):
            shared = n // (N // K)
            context, scores[b, n] = attention(
                query[b] @ W_q[:, n] + b_q[n],
                key[b] @ W_k[:, shared] + b_k[shared],
                value[b] @ W_v[:, shared] + b_v[shared],
                None if sees is None else sees[b, n],
                bias=None if bias is None else bias[b, n],
            )
            heads.append(context)
        concatenated = np.concatenate(heads, axis=-1)
        output[b] = concatenated @ W_o.reshape(-1, W_o.shape[-1]) + b_o
    return output, scores
