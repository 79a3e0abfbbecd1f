"""The Transformer in NumPy loops, from "Attention Is All You Need": one sentence, one head, one position at a time.

Weights are nested dicts: attention {"query": [D, N, H], "key", "value", "output": [N, V, D]} and their "..._bias",
feed-forward {"W1", "b1", "W2", "b2"}, norms (gamma, beta).
"""

import numpy as np

from tests.reference.multi_head_attention import attention
from tests.reference.positions import sinusoidal


def layer_norm(x, norm, epsilon=1e-6):
    gamma, beta = norm
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        variance = sum((row - mean) ** 2) / len(row)
        rows.append((row - mean) / np.sqrt(variance + epsilon) * gamma + beta)
    return np.array(rows)


def feed_forward(x, w):
    """Equation 2."""
    return np.array([np.maximum(0, row @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"] for row in x])


def multi_head(query, memory, w, sees):
    """MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O for [T, D] and [S, D]; scores [N, T, S]."""
    heads, scores = [], []
    for n in range(w["query"].shape[1]):
        Q, K, V = (
            x @ w[name][:, n] + w.get(name + "_bias", np.zeros(w[name].shape[1:]))[n]
            for x, name in ((query, "query"), (memory, "key"), (memory, "value"))
        )
        head, weights = attention(Q, K, V, sees)
        heads.append(head)
        scores.append(weights)
    W_o = w["output"].reshape(-1, w["output"].shape[-1])
    return np.concatenate(heads, axis=-1) @ W_o + w.get("output_bias", 0), np.array(scores)


def residual(x, sublayer, norm, norm_first):
    """LayerNorm(x + Sublayer(x)), section 3.1; or x + Sublayer(LayerNorm(x))."""
    if norm_first:
        return x + sublayer(layer_norm(x, norm))
    return layer_norm(x + sublayer(x), norm)


def encoder_block(x, w, real, norm_first=False):
    """x: [S, D]; real: [S], True marks positions that take part."""
    sees = np.array([[real[s] for s in range(len(x))] for _ in range(len(x))])
    x = residual(x, lambda y: multi_head(y, y, w["self"], sees)[0], w["self_norm"], norm_first)
    return residual(x, lambda y: feed_forward(y, w["ffn"]), w["ffn_norm"], norm_first)


def decoder_block(x, memory, w, real, norm_first=False):
    """x: [T, D]; memory: [S, D]; real: [S]."""
    T, S = len(x), len(memory)
    past = np.array([[s <= t for s in range(T)] for t in range(T)])
    sees = np.array([[real[s] for s in range(S)] for _ in range(T)])
    x = residual(x, lambda y: multi_head(y, y, w["self"], past)[0], w["self_norm"], norm_first)
    x = residual(x, lambda y: multi_head(y, memory, w["memory"], sees)[0], w["memory_norm"], norm_first)
    return residual(x, lambda y: feed_forward(y, w["ffn"]), w["ffn_norm"], norm_first)


def transformer(source, target, w, norm_first=False, positions=sinusoidal):
    """source: [B, S] ids, 0 = padding; target: [B, T] ids -> logits [B, T, V]."""
    logits = []
    for source_row, target_row in zip(source, target):
        real = [token != 0 for token in source_row]
        memory = _embed(source_row, w["source_embedding"], positions)
        for block in w["encoder"]:
            memory = encoder_block(memory, block, real, norm_first)
        if norm_first:
            memory = layer_norm(memory, w["encoder_norm"])
        x = _embed(target_row, w["target_embedding"], positions)
        for block in w["decoder"]:
            x = decoder_block(x, memory, block, real, norm_first)
        if norm_first:
            x = layer_norm(x, w["decoder_norm"])
        logits.append([[row @ token for token in w["logits"]] for row in x])
    return np.array(logits)


def _embed(tokens, table, positions):
    D = table.shape[1]
    return np.array([table[token] * np.sqrt(D) for token in tokens]) + positions(len(tokens), D)
