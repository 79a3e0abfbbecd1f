"""`BaseLayer`: calls and configs, beyond what the conformance suite tests of each layer."""

import copy
import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest

from keras_attention import layers, models
from tests.layers.helpers import numpy, random


def test_the_models_define_no_layers():
    """Layers are defined in `layers/`, where the conformance suite finds them."""
    names = [m.name for m in pkgutil.walk_packages(models.__path__, f"{models.__name__}.") if not m.ispkg]
    found = {
        value
        for name in names
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, keras.layers.Layer) and value.__module__ == name
    }
    assert len(found) > 8 and not [c for c in found if not issubclass(c, keras.Model)]


def test_an_omitted_key_has_the_size_of_the_value():
    layer = layers.MultiHeadAttention(2, 3)
    layer(random(2, 5, 12), random(2, 7, 10))
    layer(random(2, 5, 12), random(2, 7, 10), random(2, 7, 10))
    with pytest.raises(ValueError, match=r"`key` must be of size 10 on axis -1.*key.shape=\(2, 7, 9\)"):
        layer(random(2, 5, 12), random(2, 7, 10), random(2, 7, 9))
    with pytest.raises(ValueError, match=r"`value` must be of size 10 on axis -1.*value.shape=\(2, 5, 12\)"):
        layer(random(2, 5, 12))


def test_layers_whose_weights_have_no_input_axis_take_any_size():
    embedding, bias = layers.TokenEmbedding(11, 4), layers.RelativePositionBias(3)
    for length in (5, 6):
        ids = np.ones((2, length), "int32")
        assert embedding(ids).shape == (2, length, 4)
        assert bias(ids).shape == (1, 3, 2 * length - 1)
    encoding = layers.SinusoidalPositionEncoding()
    assert [encoding(random(2, 5, width)).shape[-1] for width in (4, 6)] == [4, 6]


def test_an_argument_given_twice_is_refused():
    with pytest.raises(TypeError, match="multiple values"):
        layers.ScaledDotProductAttention()(random(2, 5, 3), query=random(2, 5, 3))


def test_numpy_numbers_are_checked_like_python_numbers():
    layer, x = layers.LearnedPositionEncoding(7), random(2, 5, 4)
    np.testing.assert_array_equal(numpy(layer(x, start_index=np.int64(2))), numpy(layer(x, start_index=2)))
    with pytest.raises(ValueError, match="start_index=3"):
        layer(x, start_index=np.int64(3))
    image, x = layers.LearnedPositionEncoding2D(5, 6), random(2, 3, 4, 8)
    with pytest.raises(ValueError, match=r"start_index=\(2, 3\)"):
        image(x, start_index=[np.int32(2), np.int32(3)])
    np.testing.assert_array_equal(numpy(image(x, start_index=[np.int32(2), 1])), numpy(image(x, start_index=(2, 1))))
    assert isinstance(layers.ScaledDotProductAttention()(random(2, 5, 3), return_attention_scores=np.True_), tuple)


def test_from_config_does_not_change_nested_configs():
    cells = keras.layers.StackedRNNCells([keras.layers.GRUCell(3), keras.layers.LSTMCell(4)])
    config = layers.AttentionRNN(cells, layers.LuongAttention("general")).get_config()
    before = copy.deepcopy(config)
    twins = [layers.AttentionRNN.from_config(config) for _ in range(2)]
    assert config == before
    assert [len(twin.cell.cells) for twin in twins] == [2, 2]
