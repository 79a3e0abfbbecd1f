"""Shared by the tests of class activation maps."""

import numpy as np


def noisy(model, scale=1.0):
    """The model with random weights everywhere; variances are positive."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        noise = rng.normal(0.02, scale / np.sqrt(np.prod(weight.shape[:-1]) + 1), weight.shape)
        weight.assign(abs(noise) + 0.5 if "variance" in weight.path else noise)
    return model


def resized(maps, sizes, aligned=False):
    """[B, y, x] -> [B, Y, X]: bilinear, with centers of cells on centers or, aligned, corners on corners."""
    for axis, size in enumerate(sizes, 1):
        before = maps.shape[axis]
        at = np.arange(size) * (before - 1) / (size - 1) if aligned else (np.arange(size) + 0.5) * before / size - 0.5
        at = np.clip(at, 0, before - 1)
        low = np.minimum(at.astype(int), before - 2)
        part = np.expand_dims(at - low, tuple(range(1, maps.ndim - axis)))
        maps = np.take(maps, low, axis) * (1 - part) + np.take(maps, low + 1, axis) * part
    return maps
