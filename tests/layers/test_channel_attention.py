"""ChannelAttention against loops from the paper of CBAM."""

import numpy as np
import pytest

from keras_attention.layers import ChannelAttention
from tests.layers.gate_weights import SHAPES, channel_weights, each_variant, images, noisy
from tests.layers.helpers import numpy, random
from tests.pairs import all_pairs
from tests.reference import gates as reference

POOLS = [("avg",), ("max",), ("avg", "max"), ("max", "avg"), ("lp", "lse"), ("avg", "max", "lp", "lse")]


@pytest.mark.parametrize(("shape", "variant", "pools"), all_pairs([*SHAPES.values()], ["paper", "reference"], POOLS))
def test_is_equation_2(shape, variant, pools):
    x = images(shape)
    layer = noisy(ChannelAttention(ratio=2, pools=pools, variant=variant), x)
    output, gates = layer(x, return_attention_scores=True)
    expected = reference.channel_gates(x, pools, channel_weights(layer))
    np.testing.assert_allclose(numpy(gates).reshape(2, 6), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(output), reference.gate_channels(x, expected), atol=1e-5)


@each_variant
def test_all_pools_share_one_network(variant):
    """Where mean and max are equal, the logits are twice those of one pool, biases included."""
    x = np.broadcast_to(random(2, 1, 1, 6), (2, 5, 7, 6))
    both = noisy(ChannelAttention(ratio=2, variant=variant), x)
    assert len(both.trainable_variables) == (2 if variant == "paper" else 4)
    one = ChannelAttention(ratio=2, pools=("max",), variant=variant)
    one(x)
    one.set_weights(both.get_weights())
    twice, once = (numpy(layer(x, return_attention_scores=True)[1]) for layer in (both, one))
    np.testing.assert_allclose(np.log(twice / (1 - twice)), 2 * np.log(once / (1 - once)), rtol=1e-4, atol=1e-5)


def test_gates_do_not_depend_on_the_order_of_positions():
    x = random(2, 35, 6)
    layer = noisy(ChannelAttention(ratio=2), x)
    gates = [numpy(layer(y, return_attention_scores=True)[1]) for y in (x, x[:, ::-1])]
    np.testing.assert_allclose(*gates, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "pools"), [*zip(SHAPES.values(), [("avg",), ("max",), ("avg", "max")]), (SHAPES["image"], ("avg",))]
)
def test_padding_is_ignored(shape, pools):
    x, mask = images(shape), random(*shape[:-1], seed=3) > 0
    mask[1] = False
    layer = noisy(ChannelAttention(ratio=2, pools=pools), x)
    gates = reference.channel_gates(x, pools, channel_weights(layer), mask)
    assert np.abs(gates - reference.channel_gates(x * mask[..., None], pools, channel_weights(layer))).max() > 1e-3
    expected = reference.gate_channels(x, gates)
    output = layer(np.where(mask[..., None], x, np.nan).astype("float32"), mask=mask)
    np.testing.assert_allclose(numpy(output), expected * mask[..., None], atol=1e-5)


@pytest.mark.parametrize("pools", ["avg", (), ("mean",), None])
def test_bad_pools(pools):
    with pytest.raises(ValueError, match="`pools` must be"):
        ChannelAttention(pools=pools)
