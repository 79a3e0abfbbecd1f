"""Helpers of the tests of single layers."""

import numpy as np
from keras import ops


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def noisy(layer, *inputs, seed=9):
    """Builds the layer for the inputs and sets random weights, so that no zero hides a branch."""
    if not layer.built:
        layer.build(*(x.shape for x in inputs))  # a call would be slow
    for i, w in enumerate(layer.weights):
        w.assign(0.5 * random(*w.shape, seed=seed + i))
    return layer


def weights_of(layer):
    """(kernel, bias) of the projections of attention with heads, by name; zeros where it has no bias."""
    named = {"query": layer.query_dense, "key": layer.key_dense, "value": layer.value_dense}
    weights = {}
    for name, dense in {**named, "output": layer.output_dense}.items():
        kernel = numpy(dense.kernel)
        shape = kernel.shape[-1:] if name == "output" else kernel.shape[1:]
        weights[name] = (kernel, np.zeros(shape) if dense.bias is None else numpy(dense.bias))
    return weights
