"""A block of Llama in NumPy loops: pre-norm with root mean squares, rotary positions, grouped heads, a gated network.

Weights: {"query": [D, N, H], "key": [D, K, H], "value", "output": [N, V, D]}, norms [D], of heads [H], network [D, F].
"""

import numpy as np

from tests.reference.multi_head_attention import attention
from tests.reference.positions import rotary


def rms_norm(x, scale, epsilon=1e-6):
    """Zhang & Sennrich, 2019, eq. 4, of the last axis."""
    y = np.empty(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        y[place] = x[place] / np.sqrt(sum(x[place] ** 2) / x.shape[-1] + epsilon) * scale
    return y


def swiglu(x, w):
    """Shazeer, 2020, eq. 6."""
    gate = x @ w["gate"]
    return (gate / (1 + np.exp(-gate)) * (x @ w["expand"])) @ w["contract"]


def heads(x, kernel, norm, halves):
    """[T, D] -> [T, N, H], normalized and rotated by the positions 0, 1, ..."""
    y = rms_norm(np.einsum("td,dnh->tnh", x, kernel), norm)
    return rotary(y[None], range(len(x)), halves)[0]


def block(x, w, real, halves=True):
    """x: [T, D]; real: [T], True marks positions that take part."""
    T, N, K = len(x), w["query"].shape[1], w["key"].shape[1]
    y = rms_norm(x, w["attention_norm"])
    query, key = heads(y, w["query"], w["query_norm"], halves), heads(y, w["key"], w["key_norm"], halves)
    sees = np.array([[real[s] and s <= t for s in range(T)] for t in range(T)])
    contexts = []
    for n in range(N):
        k = n // (N // K)
        contexts.append(attention(query[:, n], key[:, k], y @ w["value"][:, k], sees)[0] @ w["output"][n])
    x = x + sum(contexts)
    return x + swiglu(rms_norm(x, w["network_norm"]), w)
