"""The layers of the conformance suite as models with unknown sizes, for exports to other runtimes."""

import keras
import numpy as np
import pytest

from tests.export.models import noisy
from tests.layers.cases import CASES


def cases(quick):
    """The cases of the conformance suite as parameters; those that are not named in `quick` are slow."""
    assert set(quick) <= {str(case) for case in CASES}
    return [pytest.param(case, id=str(case), marks=() if str(case) in quick else pytest.mark.slow) for case in CASES]


def model_of(case, static=False):
    """The layer of a case on inputs x0, x1, ... whose batch and lengths are unknown, unless `static`."""
    inputs = [
        keras.Input(
            batch_shape=shape if static else tuple(None if i in (0, *case.dynamic) else n for i, n in enumerate(shape)),
            dtype="int32" if below else "float32",
            name=f"x{i}",
        )
        for i, (shape, below) in enumerate(zip(case.inputs, _below(case), strict=True))
    ]
    return noisy(keras.Model(inputs, case.layer(**case.init)(*inputs, **case.call)))


def data_of(case, more=0):
    """Random inputs by name; each unknown size is that of the case and `more`."""
    rng = np.random.default_rng(0)
    data = {}
    for i, (shape, below) in enumerate(zip(case.inputs, _below(case), strict=True)):
        shape = tuple(n + more * (axis in (0, *case.dynamic)) for axis, n in enumerate(shape))
        data[f"x{i}"] = rng.integers(0, below, shape).astype("int32") if below else rng.normal(size=shape)
    return {name: x if x.dtype == "int32" else x.astype("float32") for name, x in data.items()}


def assert_same(model, data, got):
    """That `got`, outputs by name, are the model's."""
    inputs = keras.tree.pack_sequence_as(model.input, list(data.values()))
    outputs = keras.tree.flatten(model(inputs, training=False))
    assert len(outputs) == len(got)
    for expected, value in zip(outputs, got.values(), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def _below(case):
    return case.below if isinstance(case.below, tuple) else (case.below,) * len(case.inputs)
