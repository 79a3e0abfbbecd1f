"""Attention of recurrent networks in NumPy loops, one query at a time, written from the papers; all in float64."""

import numpy as np


def additive(query, key, vector, covered=None, coverage_vector=None):
    """Bahdanau et al. (2015), A.1.2: e_ts = v . tanh(q_t + k_s); See et al. (2017), eq. 11: + w c_s inside."""
    energies = np.zeros((len(query), query.shape[1], key.shape[1]))
    for b, t, s in np.ndindex(*energies.shape):
        inside = query[b, t].astype("f8") + key[b, s]
        if covered is not None:
            inside = inside + covered[b, s] * coverage_vector
        energies[b, t, s] = sum(vector[u] * np.tanh(inside[u]) for u in range(len(vector)))
    return energies


def multiplicative(query, key):
    """Luong et al. (2015), eq. 8: e_ts = q_t . k_s."""
    energies = np.zeros((len(query), query.shape[1], key.shape[1]))
    for b, t, s in np.ndindex(*energies.shape):
        energies[b, t, s] = sum(float(x) * float(y) for x, y in zip(query[b, t], key[b, s], strict=True))
    return energies


def soft(energies, mask=None, query_mask=None, key_mask=None, center=None, half_width=None, gaussian="none"):
    """Weights [B, T, S]: softmax over the visible keys; Luong et al. (2015), eq. 10, with a center.

    gaussian: "none", "after" (eq. 10: the weights are multiplied) or "before" (normalized with it).
    """
    B, T, S = energies.shape
    weights = np.zeros((B, T, S))
    for b, t in np.ndindex(B, T):
        seen = [
            s
            for s in range(S)
            if (mask is None or np.broadcast_to(mask, (B, T, S))[b, t, s])
            and (query_mask is None or query_mask[b, t])
            and (key_mask is None or key_mask[b, s])
            and (center is None or center[b, t] - half_width <= s <= center[b, t] + half_width)
        ]
        bumps = {}
        if center is not None:
            bumps = {s: np.exp(-((s - center[b, t]) ** 2) / (2 * (half_width / 2) ** 2)) for s in seen}
        size = {s: np.exp(energies[b, t, s]) * (bumps[s] if gaussian == "before" else 1) for s in seen}
        for s in seen:
            weights[b, t, s] = size[s] / sum(size.values()) * (bumps[s] if gaussian == "after" else 1)
    return weights


def context(weights, value):
    """c_t = sum over s of weight_ts h_s, skipping values of weight 0."""
    out = np.zeros((*weights.shape[:2], value.shape[-1]))
    for b, t, s in np.ndindex(*weights.shape):
        if weights[b, t, s]:
            out[b, t] += weights[b, t, s] * value[b, s].astype("f8")
    return out


def monotonic(choose, start=None):
    """Raffel et al. (2017): probability of each key [T, S] from stop probabilities [T, S], by enumeration.

    Move right from the key of the previous query; stop at key s with probability choose[t, s].
    """
    T, S = choose.shape
    before = np.eye(1, S)[0] if start is None else start
    out = np.zeros((T, S))
    for t in range(T):
        for begin in range(S):
            here = before[begin]
            for s in range(begin, S):
                out[t, s] += here * choose[t, s]
                here *= 1 - choose[t, s]
        before = out[t]
    return out


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "f8")))
