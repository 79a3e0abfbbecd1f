import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import decoder_only as reference


def test_is_equation_6():
    x = random(2, 5, 12)
    layer = noisy(layers.GatedFeedForward(9), x)
    weights = dict(zip(("gate", "expand", "contract"), map(numpy, layer.weights), strict=True))
    np.testing.assert_allclose(numpy(layer(x)), reference.swiglu(x, weights), atol=1e-4)


def test_the_activation_is_that_of_the_gate():
    """GLU: with a gate of 1/2 everywhere, half of the dense layers."""
    x = random(2, 5, 12)
    layer = noisy(layers.GatedFeedForward(9, "sigmoid"), x)
    layer.gate.kernel.assign(np.zeros((12, 9)))
    expected = 0.5 * x @ numpy(layer.expand.kernel) @ numpy(layer.contract.kernel)
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-4)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`intermediate_dim`.*intermediate_dim=0"):
        layers.GatedFeedForward(0)
