import keras
import numpy as np
import pytest

from keras_attention.analyze.calls import itemsize, trace


class Block(keras.Layer):
    """Calls one layer twice, and another one inside of a layer."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(5)
        self.norm = keras.Sequential([keras.layers.LayerNormalization(), keras.layers.Dense(3, name="last")])

    def call(self, inputs, scale=1.0):
        return self.norm(self.dense(self.dense(inputs)) * scale), inputs


def test_calls_are_recorded_in_their_order_with_shapes():
    call = trace(Block(), keras.KerasTensor((2, 7, 5)), scale=2.0)
    assert [inner.layer.name.split("_")[0] for inner in call.inner] == ["dense", "dense", "sequential"]
    assert call.arguments["scale"] == 2.0 and call.shape("inputs") == call.first == (2, 7, 5)
    assert call.shape("mask") is None
    sequential = call.inner[2]
    layers = [inner.layer.name for inner in _leaves(sequential)]
    assert layers[-1] == "last" and sequential.output_shape == (2, 7, 3)
    assert call.output_shape == (2, 7, 3) and call.output_bytes == 4 * (2 * 7 * 3 + 2 * 7 * 5)
    assert call.of(call.layer.dense) is call.inner[0] and call.of(Block()) is None


def _leaves(call):
    return [leaf for inner in call.inner for leaf in _leaves(inner)] if call.inner else [call]


def test_the_layer_is_left_as_it_was():
    layer, x = Block(), np.ones((2, 7, 5), "float32")
    before = keras.Layer.__call__
    expected = layer(x)[0]
    trace(layer, keras.KerasTensor((3, 4, 5)))
    with pytest.raises(Exception, match="expand"):
        trace(Broken(), keras.KerasTensor((3, 4)))
    assert keras.Layer.__call__ is before
    np.testing.assert_array_equal(layer(x)[0], expected)


class Broken(keras.Layer):
    def call(self, inputs):
        raise RuntimeError("expand")


def test_unknown_shapes_are_refused():
    call = trace(keras.layers.Dense(3), keras.KerasTensor((None, 5)))
    with pytest.raises(ValueError, match=r"inside of `dense.*Received: \(None, 5\)"):
        call.shape("inputs")


def test_bytes_of_numbers():
    sizes = {"float32": 4, "bfloat16": 2, "float64": 8, "int8": 1, "uint16": 2, "bool": 1}
    assert {name: itemsize(name) for name in sizes} == sizes
