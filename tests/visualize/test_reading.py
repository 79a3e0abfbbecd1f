import keras
import pytest

from keras_attention.layers import CBAM, TransformerEncoderBlock
from keras_attention.visualize.reading import choose_layers, scored_layers


def test_layers_with_scores_and_what_contains_them():
    inputs = keras.Input((5, 8))
    block = TransformerEncoderBlock(2, 16, name="block")
    model = keras.Model(inputs, CBAM(ratio=2, name="cbam")(block(inputs)))
    found = {path: (type(layer).__name__, outer) for path, (layer, outer) in scored_layers(model).items()}
    assert found == {
        "block/self_attention": ("MultiHeadAttention", False),
        "block": ("TransformerEncoderBlock", True),
        "cbam/channel": ("ChannelAttention", False),
        "cbam/spatial": ("SpatialAttention", False),
        "cbam": ("CBAM", True),
    }


def test_layers_are_chosen_by_whole_parts_of_their_paths():
    found = dict.fromkeys(["a/b", "a/bc", "a", "ab"])
    assert list(choose_layers(found, None)) == ["a/b", "a/bc", "a", "ab"]
    assert list(choose_layers(found, "a")) == ["a/b", "a/bc", "a"]
    assert list(choose_layers(found, ["ab", "a/b"])) == ["a/b", "ab"]
    with pytest.raises(ValueError, match="Received: 'b'; there are: a/b, a/bc, a, ab"):
        choose_layers(found, "b")
