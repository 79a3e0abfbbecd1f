"""The Vision Transformer in NumPy loops, from Dosovitskiy et al. (2021), eqs. 1 to 4: one image at a time.

Weights: {"kernel" [P, Q, C, D], "bias", "token" [D] or None, "positions" [T, D], "blocks" and "norm" as in
transformer.py, "representation": (kernel, bias) or None, "head": (kernel, bias)}.
"""

from math import erf

import numpy as np

from tests.reference.pooling import patches
from tests.reference.transformer import layer_norm, multi_head


def gelu(x):
    """x Phi(x), with the normal distribution function Phi."""
    return np.array([[value * 0.5 * (1 + erf(value / np.sqrt(2))) for value in row] for row in x])


def feed_forward(x, w):
    return gelu(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]


def encode(image, w, epsilon):
    """image: [Y, X, C] -> LN(z_L) [T, D], and the scores of each block [N, T, T]."""
    z = patches(image, w["kernel"], w["bias"])
    if w["token"] is not None:
        z = np.array([w["token"], *z])
    z, seen = z + w["positions"], []
    sees = np.ones((len(z), len(z)), bool)
    for block in w["blocks"]:
        normed = layer_norm(z, block["self_norm"], epsilon)
        attended, scores = multi_head(normed, normed, block["self"], sees)
        seen.append(scores)
        z = attended + z
        z = feed_forward(layer_norm(z, block["ffn_norm"], epsilon), block["ffn"]) + z
    return layer_norm(z, w["norm"], epsilon), seen


def logits(image, w, epsilon):
    z, _ = encode(image, w, epsilon)
    y = z[0] if w["token"] is not None else sum(z) / len(z)
    if w["representation"] is not None:
        kernel, bias = w["representation"]
        y = np.tanh(y @ kernel + bias)
    kernel, bias = w["head"]
    return y @ kernel + bias
