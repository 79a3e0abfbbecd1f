"""Position encodings in plain loops, from the papers."""

import math

import numpy as np


def sinusoidal(length, size, max_wavelength=10000.0):
    """Vaswani et al., 2017, section 3.5: PE(p, 2i) = sin(p / 10000^(2i/D)), PE(p, 2i+1) = cos(the same)."""
    table = np.zeros((length, size))
    for p in range(length):
        for channel in range(size):
            angle = p / max_wavelength ** (2 * (channel // 2) / size)
            table[p, channel] = math.cos(angle) if channel % 2 else math.sin(angle)
    return table


def sinusoidal_reference(length, size, max_wavelength=10000.0):
    """The published code: timescales from 1 to 10000, evenly spaced in the logarithm; sines, then cosines, then a 0."""
    half = size // 2
    table = np.zeros((length, size))
    for p in range(length):
        for i in range(half):
            timescale = math.exp(i * math.log(max_wavelength) / (half - 1))
            table[p, i] = math.sin(p / timescale)
            table[p, half + i] = math.cos(p / timescale)
    return table


def rotary(x, positions, halves=False, max_wavelength=10000.0):
    """Su et al., 2021, eq. 15: each pair of channels as a complex number, times exp(i p theta)."""
    B, T, N, H = x.shape
    y = np.zeros(x.shape)
    for b, t, n, i in np.ndindex(B, T, N, H // 2):
        first, second = (i, i + H // 2) if halves else (2 * i, 2 * i + 1)
        angle = positions[t] * max_wavelength ** (-2 * i / H)
        turned = complex(x[b, t, n, first], x[b, t, n, second]) * complex(math.cos(angle), math.sin(angle))
        y[b, t, n, first], y[b, t, n, second] = turned.real, turned.imag
    return y


def alibi(N, T, S, query_offset=0):
    """Press et al., 2022, section 3, for N a power of two: logits of head n fall by 2^(-8n/N) per step, n from 1."""
    bias = np.zeros((1, N, T, S))
    for n, t, s in np.ndindex(N, T, S):
        bias[0, n, t, s] = -(2 ** (-8 * (n + 1) / N)) * abs(t + query_offset - s)
    return bias


def t5_bucket(distance, num_buckets, max_distance, bidirectional):
    """Raffel et al., 2020, 2.1: one bucket per small distance, then logarithmic buckets, then one for the rest."""
    first = 0
    if bidirectional:
        num_buckets = num_buckets // 2
        if distance > 0:
            first = num_buckets
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    exact = num_buckets // 2
    if distance < exact:
        return first + distance
    # 1e-9: an exact boundary such as log(64/16) / log(128/16) * 3 = 2 must not be rounded down.
    share = math.log(distance / exact) / math.log(max_distance / exact)
    return first + min(exact + math.floor(share * (num_buckets - exact) + 1e-9), num_buckets - 1)


def by_distance(bias, T, S):
    """Expands a bias by distance [B, N, T+S-1] to [B, N, T, S]."""
    dense = np.zeros((*bias.shape[:2], T, S))
    for t, s in np.ndindex(T, S):
        dense[:, :, t, s] = bias[:, :, s - t + T - 1]
    return dense
