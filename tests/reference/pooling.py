"""Attention pooling in NumPy loops, from Yang et al. (2016) and Ilse et al. (2018), and the patches of a ViT."""

import numpy as np


def attention_pooling(h, w, v, real, b=None, gate=None, gate_b=None):
    """One row h [T, C], real: [T] booleans. Returns s [C] and alpha [T].

    Yang et al., eqs. 5 to 7; with `gate`, the weights of the sigmoid, eq. 9 of Ilse et al.
    """
    T, C = h.shape
    e = np.zeros(T)
    for t in range(T):
        if not real[t]:
            continue
        for unit in range(w.shape[1]):
            u = sum(h[t, c] * w[c, unit] for c in range(C)) + (0 if b is None else b[unit])
            u = np.tanh(u)
            if gate is not None:
                g = sum(h[t, c] * gate[c, unit] for c in range(C)) + (0 if gate_b is None else gate_b[unit])
                u = u / (1 + np.exp(-g))
            e[t] += u * v[unit]
    total = sum(np.exp(e[t]) for t in range(T) if real[t])
    alpha = np.array([np.exp(e[t]) / total if real[t] else 0.0 for t in range(T)])
    s = np.zeros(C)
    for t in range(T):
        if real[t]:
            s += alpha[t] * h[t]
    return s, alpha


def patches(image, kernel, bias):
    """One image [Y, X, C], kernel [P, Q, C, D] -> [Y/P * X/Q, D]: each patch by itself, row by row."""
    P, Q, _, D = kernel.shape
    found = []
    for y in range(0, image.shape[0], P):
        for x in range(0, image.shape[1], Q):
            vector = np.array(bias, "float64")
            for i in range(P):
                for j in range(Q):
                    for c in range(image.shape[2]):
                        for d in range(D):
                            vector[d] += image[y + i, x + j, c] * kernel[i, j, c, d]
            found.append(vector)
    return np.array(found)
