"""Maxout: the max over groups of neighboring features, and its gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import Maxout
from tests.backend import value_and_gradients
from tests.layers.helpers import noisy, numpy, random


def neighbours(units, pieces=2):
    return Maxout(units, pieces, use_bias=False, kernel_initializer="identity")


def test_groups_are_neighbouring_features():
    assert numpy(neighbours(2)(np.array([[1.0, 5.0, 2.0, 3.0]], "float32"))).tolist() == [[5, 3]]
    assert numpy(neighbours(2, 3)(np.array([[1.0, 5.0, 2.0, 3.0, -1.0, 4.0]], "float32"))).tolist() == [[5, 4]]


def test_the_gradient_goes_to_the_max_only():
    layer = neighbours(2)
    layer.build((1, 4))
    x = np.array([[1.0, 5.0, 2.0, 3.0]], "float32")
    _, [gradient] = value_and_gradients(layer, [x], np.array([[7.0, -2.0]], "float32"))
    assert gradient.tolist() == [[0, 7, 0, -2]]


def test_is_the_equation():
    layer, x = Maxout(4, pieces=3), random(2, 5, 6)
    noisy(layer, x)
    kernel, bias = (numpy(w) for w in layer.weights)
    t = x @ kernel + bias
    expected = np.stack([t[..., 3 * j : 3 * j + 3].max(-1) for j in range(4)], axis=-1)
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)


def test_propagates_the_mask():
    masked = keras.layers.Masking()(ops.convert_to_tensor(np.array([[[1.0, 2.0], [0.0, 0.0]]], "float32")))
    assert numpy(Maxout(3)(masked)._keras_mask).tolist() == [[True, False]]


@pytest.mark.parametrize(("arguments", "message"), [({"units": 0}, "`units`"), ({"units": 2, "pieces": 0}, "`pieces`")])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Maxout(**arguments)
    with pytest.raises(ValueError, match="last axis of `inputs`"):
        Maxout(2)(keras.Input((None, None)))
