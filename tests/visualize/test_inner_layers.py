"""Layers are found wherever a model holds them, and what is replaced for a while is put back."""

import keras
import pytest

from keras_attention.visualize import inner_layers


def test_layers_of_attributes_and_nests_are_found():
    layer, dense = keras.layers.Layer(), [keras.layers.Dense(units) for units in (2, 3, 4)]
    layer.one, layer.more, layer.by_name = dense[0], [dense[1]], {"last": dense[2]}
    assert {id(inner) for inner in inner_layers.inner_layers(layer)} == {id(each) for each in dense}


def test_equal_paths_get_numbers():
    layers = [keras.layers.Dense(2) for _ in range(3)]
    found = inner_layers.with_distinct_paths([("a", layers[0]), ("b", layers[1]), ("a", layers[2])])
    assert [path for path, _ in found] == ["a", "b", "a_1"]


@pytest.mark.parametrize("own", [False, True])
def test_what_was_replaced_is_put_back_after_an_error(own):
    layer = keras.layers.Identity()
    if own:
        vars(layer)["call"] = lambda x: x + 1
    before = dict(vars(layer))
    with pytest.raises(RuntimeError, match="inside"), inner_layers.replaced(layer, "call", lambda x: 2 * x):
        assert layer.call(5) == 10
        raise RuntimeError("inside")
    assert vars(layer) == before
