"""What the suites over all public layers share: inputs, layers full of noise, models around them."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.cases import CASES

BACKEND = keras.backend.backend()
IDS = [str(case) for case in CASES]
each_case = pytest.mark.parametrize("case", CASES, ids=IDS)


def cases_with(attribute):
    chosen = [case for case in CASES if getattr(case, attribute)]
    return pytest.mark.parametrize("case", chosen, ids=[str(case) for case in chosen])


def arrays(case, seed=0, batch=None, longer=0):
    """Inputs of the case; `batch` and `longer` change the batch size and the lengths."""
    rng = np.random.default_rng(seed)
    shapes = [
        tuple(n + longer * (i in case.dynamic) for i, n in enumerate((batch or s[0], *s[1:]))) for s in case.inputs
    ]
    return [
        rng.integers(0, below, shape).astype("int32") if below else rng.standard_normal(shape).astype("float32")
        for below, shape in zip(bounds(case), shapes, strict=True)
    ]


def bounds(case):
    """For each input, below which number its integers are; `None` for floats."""
    return case.below if isinstance(case.below, tuple) else (case.below,) * len(case.inputs)


def symbols(case, unknown=False):
    """`keras.Input`s of the case, with unknown batch and lengths if `unknown`."""
    if unknown:
        shapes = [tuple(None if i in (0, *case.dynamic) else n for i, n in enumerate(s)) for s in case.inputs]
    else:
        shapes = case.inputs
    dtypes = ["int32" if below else "float32" for below in bounds(case)]
    return [keras.Input(batch_shape=shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]


def make(case, **init):
    """A built layer, the same each time, with noise in all weights: what starts at zero would hide a whole branch."""
    keras.utils.set_random_seed(1)
    layer = case.layer(**{**case.init, **init})
    layer(*arrays(case), **case.call)
    rng = np.random.default_rng(1)
    for w in layer.weights:
        w.assign(ops.convert_to_numpy(w) + 0.5 * rng.standard_normal(w.shape))
    return layer


def functional(case, layer=None, unknown=True):
    inputs = symbols(case, unknown)
    output = (make(case) if layer is None else layer)(*inputs, **case.call)
    return keras.Model(alone(inputs), output)


def alone(inputs):
    """A single input without its list: older Keras tells them apart."""
    return inputs[0] if len(inputs) == 1 else inputs


def numpy(x):
    return keras.tree.map_structure(lambda t: np.asarray(ops.convert_to_numpy(ops.cast(t, "float32"))), x)


def shapes(x):
    return [tuple(t.shape) for t in keras.tree.flatten(x)]


def close(a, b, atol=1e-5):
    for x, y in zip(keras.tree.flatten(a), keras.tree.flatten(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=atol, rtol=1e-4)
