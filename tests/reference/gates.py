"""Squeeze-and-excitation and CBAM in NumPy loops, from the papers and, for "reference", the published code.

Images are [B, *S, C]; a mask is [B, *S].
"""

import itertools
import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def positions(x, b, mask=None):
    """The positions of image b that take part."""
    everywhere = itertools.product(*map(range, x.shape[1:-1]))
    return [s for s in everywhere if mask is None or mask[(b, *s)]]


def pool(x, kind, mask=None):
    """Pools each channel of each image: [B, C]."""
    pooled = np.zeros((x.shape[0], x.shape[-1]))
    for b, c in np.ndindex(pooled.shape):
        values = [x[(b, *s, c)] for s in positions(x, b, mask)]
        if values:
            pooled[b, c] = {
                "avg": lambda v: sum(v) / len(v),
                "max": max,
                "lp": lambda v: math.sqrt(sum(a * a for a in v)),
                "lse": lambda v: math.log(sum(math.exp(a) for a in v)),
            }[kind](values)
    return pooled


def mlp(z, w0, w1, b0=None, b1=None):
    """Two-layer perceptron with a ReLU, for one vector."""
    return layer([max(0.0, h) for h in layer(z, w0, b0)], w1, b1)


def layer(z, w, b):
    return [sum(z[i] * w[i, j] for i in range(len(z))) + (0 if b is None else b[j]) for j in range(w.shape[1])]


def channel_gates(x, pools, weights, mask=None):
    """Channel gates [B, C]. weights: (w0, w1) or (w0, w1, b0, b1)."""
    gates = np.zeros((x.shape[0], x.shape[-1]))
    pooled = [pool(x, kind, mask) for kind in pools]
    for b in range(len(x)):
        answers = [mlp(z[b], *weights) for z in pooled]
        for c in range(x.shape[-1]):
            gates[b, c] = sigmoid(sum(answer[c] for answer in answers))
    return gates


def spatial_gates(x, kernel, max_first=False, norm=None, mask=None):
    """Spatial gates [B, *S]. kernel: [k, ..., k, 2, 1]; norm: (gamma, beta, mean, variance), epsilon 1e-5."""
    gates, k = np.zeros(x.shape[:-1]), kernel.shape[0]
    for b, *s in np.ndindex(gates.shape):
        total = 0.0
        for offset in itertools.product(range(k), repeat=len(s)):
            there = tuple(i + o - k // 2 for i, o in zip(s, offset))
            inside = all(0 <= i < n for i, n in zip(there, gates.shape[1:]))
            if inside and (mask is None or mask[(b, *there)]):
                values = list(x[(b, *there)])
                mean, maximum = sum(values) / len(values), max(values)
                first, second = (maximum, mean) if max_first else (mean, maximum)
                total += first * kernel[(*offset, 0, 0)] + second * kernel[(*offset, 1, 0)]
        if norm is not None:
            gamma, beta, mean, variance = (float(a[0]) for a in norm)
            total = gamma * (total - mean) / math.sqrt(variance + 1e-5) + beta
        gates[(b, *s)] = sigmoid(total)
    return gates


def gate_channels(x, gates):
    output = np.zeros_like(x)
    for b, *s, c in np.ndindex(x.shape):
        output[(b, *s, c)] = x[(b, *s, c)] * gates[b, c]
    return output


def gate_positions(x, gates):
    output = np.zeros_like(x)
    for b, *s, c in np.ndindex(x.shape):
        output[(b, *s, c)] = x[(b, *s, c)] * gates[(b, *s)]
    return output
