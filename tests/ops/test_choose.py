import numpy as np
import pytest

from keras_attention.ops.choose import chosen
from tests.backend import COMPILED, numpy, value_and_gradients

RNG = np.random.default_rng(0)
X, INDEX = RNG.standard_normal((3, 4, 5)).astype("float32"), RNG.integers(0, 5, (3, 4))


def test_is_numpys():
    np.testing.assert_array_equal(numpy(chosen(X, INDEX)), np.take_along_axis(X, INDEX[..., None], -1)[..., 0])


def test_what_is_not_chosen_may_be_anything():
    wild = np.full((2, 3), np.inf, "float32")
    wild[:, 1] = 7
    np.testing.assert_array_equal(numpy(chosen(wild, np.array([1, 1]))), [7, 7])


@pytest.mark.parametrize("how", COMPILED)
def test_the_gradient_goes_to_the_chosen_entry(how):
    cotangent = RNG.standard_normal((3, 4)).astype("float32")
    _, [gradient] = value_and_gradients(lambda x: chosen(x, INDEX), [X], cotangent, how)
    expected = np.zeros_like(X)
    np.put_along_axis(expected, INDEX[..., None], cotangent[..., None], -1)
    np.testing.assert_array_equal(gradient, expected)
