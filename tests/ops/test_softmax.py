"""Softmax in which masked entries are exactly zero."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from tests.backend import numpy, value_and_gradients


@pytest.mark.parametrize("dtype, atol", [("float32", 1e-6), ("float16", 1e-3), ("bfloat16", 1e-2)])
@pytest.mark.parametrize("axis", [-1, 1])
def test_equals_the_softmax_of_visible_entries(dtype, atol, axis):
    rng = np.random.default_rng(0)
    logits, mask = rng.standard_normal((2, 5, 7)), rng.random((2, 5, 7)) < 0.5
    mask[0, :, 3], mask[1, 2] = False, False
    weights = np.where(mask, np.exp(logits), 0)
    total = weights.sum(axis, keepdims=True)
    expected = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    actual = ops.masked_softmax(keras.ops.cast(logits, dtype), mask, axis=axis)
    assert keras.backend.standardize_dtype(actual.dtype) == dtype
    actual = numpy(keras.ops.cast(actual, "float32"))
    np.testing.assert_allclose(actual, expected, atol=atol)
    assert (actual[~mask] == 0).all()


def test_fully_masked_row_is_finite_with_zero_gradient():
    logits, mask = np.array([[1e38, -1e38, 0.0], [5.0, 2.0, 1.0]]), np.array([[False] * 3, [True, False, True]])
    value, (gradient,) = value_and_gradients(
        lambda x: ops.masked_softmax(x, mask), [logits], np.ones((2, 3)) * [1, 2, 3]
    )
    assert np.isfinite(value).all() and np.isfinite(gradient).all() and (gradient[0] == 0).all()


def test_logits_of_minus_infinity_are_hidden_and_finite_ones_are_not():
    lowest, inf = np.finfo("float32").min, np.inf
    logits = np.array([[-inf, 1.0, -inf], [lowest, lowest, -inf], [-inf, -inf, -inf]], "float32")
    expected = [[0, 1, 0], [0.5, 0.5, 0], [0, 0, 0]]
    assert numpy(ops.masked_softmax(logits, np.ones((3, 3), bool))).tolist() == expected
    assert numpy(ops.masked_softmax(np.full((1, 2), lowest), [[True, False]])).tolist() == [[1, 0]]


def test_wrong_arguments_are_refused_by_name():
    logits = np.zeros((2, 5), "float32")
    for arguments, said in (
        ({"mask": np.ones((2, 5), "float32")}, "`mask` must be boolean or integer"),
        ({"mask": np.ones((2, 4), bool)}, "`mask` must broadcast"),
        ({"mask": np.ones((1, 2, 5), bool)}, "`mask` must broadcast"),
        ({"axis": 2}, "`axis` must be an axis"),
        ({"axis": "last"}, "`axis` must be an axis"),
        ({"logits": np.zeros((2, 5), "int32")}, "`logits` must be floating"),
    ):
        with pytest.raises(ValueError, match=said):
            ops.masked_softmax(**{"logits": logits, **arguments})


def test_single_entry_is_one():
    assert numpy(ops.masked_softmax(np.array([[3.0], [4.0]], "float32"))).tolist() == [[1.0], [1.0]]
