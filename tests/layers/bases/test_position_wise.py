import numpy as np
import pytest
from keras import ops

from keras_attention.layers import FeedForward, GatedFeedForward
from keras_attention.layers.bases.position_wise import gelu_tanh
from tests.layers.helpers import noisy, numpy, random

X = random(3, 12)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("layer", [FeedForward, GatedFeedForward])
def test_prepared_steps_equal_calls(layer, use_bias):
    network = noisy(layer(9, "gelu", use_bias=use_bias), X)
    count = {FeedForward: 2, GatedFeedForward: 3}[layer]
    assert len(network.weights) == count * (1 + use_bias)
    step = network.prepare_step()
    np.testing.assert_allclose(numpy(step(ops.convert_to_tensor(X))), numpy(network(X)), atol=1e-5)
    assert noisy(type("Own", (layer,), {})(9), X).prepare_step() is None
    network.contract.quantize("float8")
    assert network.prepare_step() is None


@pytest.mark.parametrize("layer", [FeedForward, GatedFeedForward])
def test_the_width_must_be_known(layer):
    with pytest.raises(ValueError, match=r"last axis of `inputs` must be known.*\(2, None\)"):
        layer(9).build((2, None))


@pytest.mark.parametrize("layer", [FeedForward, GatedFeedForward])
def test_gelu_by_tanh_has_a_name(layer):
    network = layer(9, "gelu_tanh")
    assert network.activation is gelu_tanh
    assert layer.from_config(network.get_config()).activation is gelu_tanh
    x = np.linspace(-3, 3, 13)
    expected = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(numpy(gelu_tanh(ops.convert_to_tensor(x, "float32"))), expected, atol=1e-6)
