"""Helpers of the conformance suites: inputs, layers with random weights, models of them."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import at_once
from tests.layers.cases import CASES

BACKEND = keras.backend.backend()
IDS = [str(case) for case in CASES]
# Compiled paths are tested with the first case of each layer, the differences between cases eagerly.
FIRST = list({case.layer: case for case in reversed(CASES)}.values())
BLOCKS = ("TransformerEncoderBlock", "TransformerDecoderBlock", "ImageTransformerBlock", "AttentionRNN")


def keyed(case):
    """Whether the layer is attention with masks of its keys."""
    return case.values is not None and bool(case.masks)


def mechanism(case):
    """Whether the case is there for a mechanism of its layer's attention: sinks, rotary positions, coverage.

    Calls, arguments and files do not depend on it: with such cases their tests are slow.
    """
    return keyed(case) and case not in FIRST


def block(case):
    """Whether the attention of the layer is another layer, with cases of its own."""
    return case.layer.__name__ in BLOCKS


def marked(cases, slow=lambda case: False):
    """The cases as parameters of a test or of a fixture, marked as slow where `slow(case)`."""
    return [pytest.param(case, id=str(case), marks=[pytest.mark.slow] * slow(case)) for case in cases]


def each(cases, slow=lambda case: False):
    """Parametrizes a test over these cases, marked as slow where `slow(case)`."""
    return pytest.mark.parametrize("case", marked(cases, slow))


each_case = each(CASES)
each_kind = each(CASES, slow=mechanism)


def cases_with(attribute, slow=lambda case: False):
    return each((case for case in CASES if getattr(case, attribute)), slow)


def each_half(cases, first="float16", only=None):
    """Parametrizes a test over half precision: both types by turns, from `first` on, or `only` one."""
    kinds = ["float16", "bfloat16"] if first == "float16" else ["bfloat16", "float16"]
    pairs = [(case, only or kinds[i % 2]) for i, case in enumerate(cases)]
    return pytest.mark.parametrize(("case", "dtype"), pairs, ids=[f"{case}-{dtype}" for case, dtype in pairs])


def arrays(case, seed=0, batch=None, longer=0):
    """Inputs of the case; `batch` and `longer` change the batch size and the lengths."""
    rng = np.random.default_rng(seed)
    shapes = [
        tuple(n + longer * case.multiple * (i in case.dynamic) for i, n in enumerate((batch or s[0], *s[1:])))
        for s in case.inputs
    ]
    return [
        rng.integers(0, below, shape).astype("int32") if below else rng.standard_normal(shape).astype("float32")
        for below, shape in zip(bounds(case), shapes, strict=True)
    ]


def bounds(case):
    """For each input, the exclusive upper bound of its integers; `None` for floats."""
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
    """A built layer with random weights, the same each time: weights that start at zero would hide a branch."""
    keras.utils.set_random_seed(1)
    layer = case.layer(**{**case.init, **init})
    layer(*symbols(case), **case.call)
    rng = np.random.default_rng(1)
    for w in layer.weights:
        noisy = ops.convert_to_numpy(w) + 0.5 * rng.standard_normal(w.shape)
        # A negative variance would give NaN.
        w.assign(np.abs(noisy) if w.path.endswith("moving_variance") else noisy)
    return layer


_KEPT = {"case": None}


def kept(build):
    """Caches `build(case, ...)` while the tests stay with this case; they are sorted by case."""

    @functools.wraps(build)
    def remembered(case, *args, **kwargs):
        if _KEPT["case"] is not case:
            _KEPT.clear()
            _KEPT["case"] = case
        key = (build.__name__, *args, *sorted(kwargs.items()))
        if key not in _KEPT:
            _KEPT[key] = build(case, *args, **kwargs)
        return _KEPT[key]

    return remembered


@kept
def _made(case, **init):
    layer = make(case, **init)
    return layer, [ops.convert_to_numpy(v) for v in layer.variables]


def built(case, **init):
    """The layer of `make`, built once for all tests of the case; each call resets its variables.

    A test that changes more than variables makes its own layer.
    """
    layer, values = _made(case, **init)
    for variable, value in zip(layer.variables, values, strict=True):
        variable.assign(value)
    return layer


@kept
def expected(case):
    """The output of `built(case)` for `arrays(case)`."""
    return answer(functools.partial(built(case), **case.call), *arrays(case))


def answer(function, *x):
    """What `at_once` gives, as NumPy arrays."""
    return numpy(at_once(function, *x))


def functional(case, layer=None, unknown=True):
    inputs = symbols(case, unknown)
    output = (built(case) if layer is None else layer)(*inputs, **case.call)
    return keras.Model(alone(inputs), output)


def alone(inputs):
    """A single input without its list: older Keras tells them apart."""
    return inputs[0] if len(inputs) == 1 else inputs


def numpy(x):
    return keras.tree.map_structure(lambda t: np.asarray(ops.convert_to_numpy(ops.cast(t, "float32"))), x)


def shapes(x):
    return [tuple(t.shape) for t in keras.tree.flatten(x)]


def close(a, b, atol=1e-5):
    """Asserts that both are equal up to rounding, without NaN."""
    for x, y in zip(keras.tree.flatten(a), keras.tree.flatten(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=atol, rtol=1e-4, equal_nan=False)


def check_that_all_train(case, layer, gradients):
    """Asserts that the first step of Adam with learning rate 0.1 changes every weight by more than 0.001."""
    for w, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert np.isfinite(gradient).all()
        moved = 0.1 * np.abs(gradient) / (np.abs(gradient) + 1e-7)
        assert (case.no_gradient and w.path.endswith(case.no_gradient)) or moved.max() > 1e-3, w.path
