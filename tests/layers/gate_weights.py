"""Helpers of the tests of gates: inputs of every rank, and weights as arguments of the reference."""

import pytest

from tests.layers.helpers import numpy, random

SHAPES = {"sequence": (2, 7, 6), "image": (2, 5, 7, 6), "volume": (2, 3, 5, 7, 6)}
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
each_variant = pytest.mark.parametrize("variant", ["paper", "reference"])


def images(shape):
    """Noise around a mean for each image and channel: around 0, the biases would decide the gates."""
    means = random(shape[0], *[1] * (len(shape) - 2), shape[-1], seed=4)
    return random(*shape) + 2 * means


def channel_weights(layer):
    """(w0, w1) or (w0, w1, b0, b1)."""
    dense = (layer.reduce, layer.expand)
    biases = [numpy(d.bias) for d in dense if d.use_bias]
    return (*(numpy(d.kernel) for d in dense), *biases)


def spatial_weights(layer):
    """Arguments of `reference.spatial_gates`."""
    weights = {"kernel": numpy(layer.conv.kernel), "max_first": layer.variant == "reference"}
    if layer.norm is not None:
        norm = layer.norm
        weights["norm"] = tuple(numpy(w) for w in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance))
    return weights


def noisy(layer, x, seed=9):
    """Builds the layer on x and sets random weights, with positive variances."""
    layer.build(x.shape)
    for i, w in enumerate(layer.weights):
        noise = random(*w.shape, seed=seed + i)
        w.assign(0.5 + noise**2 if "variance" in w.path else noise)
    return layer
