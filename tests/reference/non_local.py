"""Non-local networks in NumPy loops, a pair of positions at a time, written from the paper."""

import itertools

import numpy as np


def operation(query, key, value, pairwise, w_f=None, scale=1.0, sees=None):
    """Equations 1 to 5 for one input: y [T, V] and the attention map [T, S], in float64.

    Args:
        query, key, value: [T, H], [S, H], [S, V].
        pairwise: The pairwise function, as in the library.
        w_f: [2 H].
        scale: Factor of the exponent.
        sees: `sees(i, j)`: whether key j is visible to query i.
    """
    T, S = len(query), len(key)
    y, weights = np.zeros((T, value.shape[1])), np.zeros((T, S))
    for i in range(T):
        seen = [j for j in range(S) if sees is None or sees(i, j)]
        f = {}
        for j in seen:
            product = sum(float(a) * float(b) for a, b in zip(query[i], key[j], strict=True))
            if pairwise == "concatenation":
                both = np.concatenate([query[i], key[j]]).astype("f8")
                f[j] = max(0.0, float(np.dot(w_f, both)))
            else:
                f[j] = product if pairwise == "dot_product" else product * scale
        if "gaussian" in pairwise and seen:
            maximum = max(f.values())
            f = {j: np.exp(x - maximum) for j, x in f.items()}
            normaliser = sum(f.values())
        else:
            normaliser = len(seen)
        for j in seen:
            weights[i, j] = f[j] / normaliser
            y[i] += weights[i, j] * value[j]
    return y, weights


def max_pool(x, windows, real=None):
    """Max-pools x [*P, C] and the mask `real`; incomplete windows are dropped."""
    dims = [n // w for n, w in zip(x.shape[:-1], windows, strict=True)]
    pooled, any_real = np.zeros((*dims, x.shape[-1])), np.zeros(dims, bool)
    for out in np.ndindex(*dims):
        inside = itertools.product(*(range(o * w, o * w + w) for o, w in zip(out, windows, strict=True)))
        rows = [x[p] for p in inside if real is None or real[p]]
        any_real[out] = bool(rows)
        if rows:
            pooled[out] = np.max(rows, axis=0)
    return pooled, any_real


def block(x, weights, pairwise, pool, windows, scale=1.0, sees=None, real=None):
    """z = norm(W_z y) + x for x [B, *P, C], and the attention map of each sample.

    Args:
        weights: {"theta": (kernel, bias), ...} with "w_f", and "norm": (gamma, beta, mean, variance) or none.
        pool: "after", "before" or `None`.
        windows: Pool size of each axis.
        sees: `sees(p, q)` of two positions, the second among the pooled ones.
        real: Boolean [B, *P] or `None`; True marks positions that take part.
    """
    z, maps = np.zeros(x.shape), []
    for b in range(len(x)):
        there = np.ones(x.shape[1:-1], bool) if real is None else real[b]
        entry = np.where(there[..., None], x[b].astype("f8"), 0.0)
        theta = entry if pairwise == "gaussian" else _project(entry, weights["theta"])
        embed = (lambda v: v) if pairwise == "gaussian" else (lambda v: _project(v, weights["phi"]))
        if pool is None:
            phi, g, keys = embed(entry), _project(entry, weights["g"]), there
        elif pool == "before":
            pooled, keys = max_pool(entry, windows, there)
            phi, g = embed(pooled), _project(pooled, weights["g"])
        else:
            phi, keys = max_pool(embed(entry), windows, there)
            g, _ = max_pool(_project(entry, weights["g"]), windows, there)
        positions, key_positions = list(np.ndindex(*there.shape)), list(np.ndindex(*keys.shape))

        def visible(i, j, there=there, keys=keys, positions=positions, key_positions=key_positions):
            p, q = positions[i], key_positions[j]
            return there[p] and keys[q] and (sees is None or sees(p, q))

        rows = (v.reshape(-1, v.shape[-1]) for v in (theta, phi, g))
        y, weights_of_pairs = operation(*rows, pairwise, weights.get("w_f"), scale, visible)
        y = _project(y, weights["w_z"])
        if "norm" in weights:
            gamma, beta, mean, variance = weights["norm"]
            y = (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        z[b] = entry + np.where(there[..., None], y.reshape(entry.shape), 0.0)
        maps.append(weights_of_pairs)
    return z, np.stack(maps)


def _project(x, kernel_and_bias):
    kernel, bias = kernel_and_bias
    return x @ kernel.astype("f8") + bias
