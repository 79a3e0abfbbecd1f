"""What the tests of single layers share."""

import numpy as np
from keras import ops


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def noisy(layer, *inputs, seed=9):
    """Builds the layer for the inputs and puts noise into all weights, so that no branch is hidden by a zero."""
    if not layer.built:
        layer.build(*(x.shape for x in inputs))  # a call would take as long as many a test
    for i, w in enumerate(layer.weights):
        w.assign(0.5 * random(*w.shape, seed=seed + i))
    return layer
