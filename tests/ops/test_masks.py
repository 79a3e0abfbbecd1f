"""Masks against their formulas."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.ops.masks import alive_rows, band_penalty, revive
from tests.backend import BACKEND, numpy

T, S = 9, 7


@pytest.mark.parametrize("query_offset", [0, 3, -4])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [None, 1, 3])
def test_in_band_band_penalty_and_alive_rows_match_the_formula(causal, window, query_offset):
    expected = np.ones((T, S), bool)
    for t, s in np.ndindex(T, S):
        at = t + query_offset
        expected[t, s] = (not causal or s <= at) and (window is None or abs(at - s) < window)
    queries, keys = np.arange(T, dtype="int32")[:, None] + np.int32(query_offset), np.arange(S, dtype="int32")[None]
    if causal or window:
        np.testing.assert_array_equal(numpy(ops.in_band(queries, keys, causal, window)), expected)
        penalty = numpy(band_penalty(queries, keys, causal, window))
        np.testing.assert_array_equal(penalty == 0, expected)
        assert (penalty[~expected] <= -1e30).all() and np.isfinite(penalty).all()
    else:
        assert ops.in_band(queries, keys) is None
    real = np.random.default_rng(0).random((4, S)) < 0.4
    real[2] = False
    alive = alive_rows(T, S, keras.ops.convert_to_tensor(real), causal, query_offset, window)
    np.testing.assert_array_equal(np.broadcast_to(numpy(alive), (4, T)), (expected[None] & real[:, None]).any(-1))
    alive = alive_rows(T, S, None, causal, query_offset, window)
    np.testing.assert_array_equal(True if alive is None else numpy(alive)[0], expected.any(-1))
    none = alive_rows(T, 0, keras.ops.convert_to_tensor(real[:, :0]), causal, query_offset, window)
    assert not numpy(none).any() and none.shape[0] == 4 and none.shape[1] in (1, T)


def test_floating_mask_is_refused_and_integer_mask_is_cast():
    with pytest.raises(ValueError, match="attention_bias"):
        ops.require_boolean(np.zeros((2, 2), "float32"))
    assert numpy(ops.require_boolean(np.array([0, 1, 2]))).tolist() == [False, True, True]
    assert ops.require_boolean(None) is None


@pytest.mark.parametrize("dtype", ["float16", "float32", *(["float64"] if BACKEND != "jax" else [])])
def test_reviving_keeps_every_digit(dtype):
    logits = np.array([[0.1, -np.inf, 1 / 3], [-np.inf] * 3], dtype)
    found, alive = revive(keras.ops.convert_to_tensor(logits))
    np.testing.assert_array_equal(numpy(found), np.array([logits[0], [0, 0, 0]], dtype))
    assert numpy(found).dtype == dtype and numpy(alive).tolist() == [[True], [False]]
