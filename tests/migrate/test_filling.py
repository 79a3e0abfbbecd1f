"""Kernels and tables by their paths; the networks are compared in the tests of each."""

import keras
import numpy as np
import pytest

from keras_attention.migrate.filling import by_path, fill, find, require_mapping, shape_at
from tests.layers.helpers import numpy

RNG = np.random.default_rng(0)


def network():
    x = keras.Input((6, 5, 3))
    y = keras.layers.Conv2D(4, (2, 3), name="conv")(x)
    return keras.Model(x, keras.layers.Dense(7, name="dense")(y))


def weights():
    sizes = {"conv/kernel": (4, 3, 2, 3), "conv/bias": (4,), "dense/kernel": (7, 4), "dense/bias": (7,)}
    return {name: RNG.standard_normal(size) for name, size in sizes.items()}


def test_kernels_are_turned():
    model, given = network(), weights()
    fill(model, by_path(given, lambda name: name))
    kernel, bias, dense, _ = map(numpy, model.weights)
    for p, q, i, o in np.ndindex(2, 3, 3, 4):
        assert kernel[p, q, i, o] == pytest.approx(given["conv/kernel"][o, i, p, q])
    np.testing.assert_allclose(bias, given["conv/bias"], rtol=1e-6)
    np.testing.assert_allclose(dense, given["dense/kernel"].T, rtol=1e-6)


def test_nothing_is_assigned_if_anything_is_wrong():
    model, given = network(), weights()
    before = [numpy(weight) for weight in model.weights]
    for wrong, message in (
        ({**given, "dense/bias": np.ones(6)}, r"`dense/bias` must fit \(7,\). Received: \(6,\)"),
        ({name: x for name, x in given.items() if name != "dense/bias"}, "must have an array for `dense/bias`"),
        ({**given, "more": np.ones(6)}, "must only contain weights of the model. Received: more"),
    ):
        with pytest.raises(ValueError, match=message):
            fill(model, by_path(wrong, lambda name: name))
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(numpy(new), old)


def test_fused_arrays_are_split_and_names_are_unique():
    found = by_path({"qk.weight": np.arange(6)}, lambda name: "a/query,key/kernel")
    assert {path: x.tolist() for path, (_, x) in found.items()} == {
        "a/query/kernel": [0, 1, 2],
        "a/key/kernel": [3, 4, 5],
    }
    with pytest.raises(ValueError, match="`qk.weight` must hold query, key, value, of one size"):
        by_path({"qk.weight": np.arange(4)}, lambda name: "a/query,key,value/kernel")
    with pytest.raises(ValueError, match="one of `a` and `b`. Received: both"):
        by_path({"a": 1, "b": 2}, lambda name: "same")
    with pytest.raises(ValueError, match="must have an array for `c` of the model. Received: a"):
        find(by_path({"a": 1}, lambda name: name), "c")
    assert shape_at(by_path({"a": np.ones((3, 4))}, lambda name: name), "a") == (3, 4)
    with pytest.raises(ValueError, match=r"`a` must have 2 axes. Received: \(3,\)"):
        shape_at(by_path({"a": np.ones(3)}, lambda name: name), "a")
    with pytest.raises(ValueError, match="`weights` must be a mapping.*Received: list"):
        require_mapping([])
