"""`get_attention` creates layers by name."""

import pytest

from keras_attention import layers
from tests.layers.helpers import random


@pytest.mark.parametrize(
    "name, cls, arguments",
    [
        ("se", layers.SqueezeExcitation, {}),
        ("channel", layers.ChannelAttention, {}),
        ("spatial", layers.SpatialAttention, {}),
        ("cbam", layers.CBAM, {}),
        ("non_local", layers.NonLocalBlock, {}),
        ("local", layers.LocalAttention2D, {"num_heads": 2, "key_dim": 3, "query_block": 2, "memory_block": 1}),
    ],
)
def test_by_name(name, cls, arguments):
    layer = layers.get_attention(name, name="here", **arguments)
    assert type(layer) is cls
    assert layer.name == "here"
    assert layer(random(2, 5, 7, 6)).shape == (2, 5, 7, 6)


def test_arguments_are_passed_to_the_layer():
    assert layers.get_attention("cbam", ratio=4, variant="reference").spatial.variant == "reference"
    assert layers.get_attention("se", ratio=4).ratio == 4


@pytest.mark.parametrize("name", ["SE", None, "nl"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="`name` must be one of .'se', .*Received: name="):
        layers.get_attention(name)
