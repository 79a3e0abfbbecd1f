import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import transformer as reference


def test_is_equation_2():
    x = random(2, 5, 12)
    layer = noisy(layers.FeedForward(9), x)
    weights = dict(zip(("W1", "b1", "W2", "b2"), map(numpy, layer.weights), strict=True))
    expected = np.array([reference.feed_forward(row, weights) for row in x])
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-4)


def test_activation_can_be_changed():
    x = random(2, 5, 12)
    relu, gelu = (noisy(layers.FeedForward(9, activation), x) for activation in ("relu", "gelu"))
    assert np.abs(numpy(relu(x)) - numpy(gelu(x))).max() > 1e-2


def test_the_two_kernels_are_initialized_independently():
    layer = layers.FeedForward(12)
    layer.build((None, 12))
    first, _, second, _ = map(numpy, layer.weights)
    assert np.abs(first - second).max() > 1e-2


def test_bad_arguments():
    with pytest.raises(ValueError, match="`intermediate_dim`.*intermediate_dim=0"):
        layers.FeedForward(0)
