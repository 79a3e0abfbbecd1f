"""What callers of `keras.layers.MultiHeadAttention` rely on besides outputs: error messages, masks, policies."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import MultiHeadAttention
from tests.layers.helpers import numpy, random

B, T, S, N, D = 2, 5, 7, 4, 12
Keras = keras.layers.MultiHeadAttention
# Older versions of Keras check less.
CHECKS_SIZES = "sliding_window" in inspect.signature(Keras).parameters


@pytest.mark.parametrize("name", ["num_heads", "key_dim", "value_dim"])
def test_errors_of_sizes_contain_keras_messages(name):
    for bad in (0, -2, 1.5):
        for layer in (MultiHeadAttention, Keras)[: 1 + CHECKS_SIZES]:
            with pytest.raises(ValueError, match=f"argument `{name}`"):
                layer(**{"num_heads": N, "key_dim": 3, name: bad})


def test_errors_contain_keras_messages():
    for output_shape in (8.0, "8", 0, (3, 0)):
        with pytest.raises(ValueError, match=r"Invalid `output_shape`.*Received: output_shape="):
            MultiHeadAttention(N, 3, output_shape=output_shape)
    for window in (0, -3, True):
        with pytest.raises(ValueError, match="`sliding_window`"):
            MultiHeadAttention(N, 3, sliding_window=window)
    layer = MultiHeadAttention(N, 3)
    for shapes in (
        ((B, T, D), (B, S, 10), (2,)),
        ((B, T, D), (B, S, 10), (B, 6, 10)),
        ((B, T, 2, 3, D), (B, 1, 1, 5, D), (B, 1, 15, 5, 10)),
    ):
        for call in (layer.compute_output_shape, lambda *shapes: layer(*(np.ones(shape) for shape in shapes))):
            with pytest.raises(ValueError, match="must be equal"):
                call(*shapes)


def test_a_mask_of_float_zeros_and_ones_is_refused_with_the_way_to_convert_it():
    x, mask = random(B, T, D), np.tril(np.ones((T, T), "float32"))
    layer = MultiHeadAttention(N, 3)
    with pytest.raises(ValueError, match=r'`attention_mask > 0.5` or `keras.ops.cast\(attention_mask, "bool"\)`'):
        layer(x, attention_mask=mask)
    expected = numpy(layer(x, use_causal_mask=True))
    for converted in (mask > 0.5, ops.cast(mask, "bool")):
        np.testing.assert_allclose(numpy(layer(x, attention_mask=converted)), expected, atol=1e-5)


def test_dtype_policies_by_path_reach_the_projections():
    policies = keras.dtype_policies.DTypePolicyMap()
    for name in ("query", "key", "value"):
        policies[f"mha/{name}"] = keras.dtype_policies.QuantizedDTypePolicy("int8", "float32")
    for layer in (Keras, MultiHeadAttention):
        layer = layer(N, 3, use_bias=False, dtype=policies, name="mha")
        layer.build((B, T, D), (B, T, D))
        dtypes = [keras.backend.standardize_dtype(w.dtype) for w in layer.weights if w.name == "kernel"]
        assert dtypes == ["int8"] * 3 + ["float32"]


@pytest.mark.usefixtures("few_objects")
def test_flattened_sublayers_can_be_quantized():
    layer = MultiHeadAttention(N, 3, use_gate=True)
    layer.build((B, T, D))
    for inner in layer._flatten_layers(include_self=False):
        if isinstance(inner, keras.layers.EinsumDense):
            inner.quantize("int8")
    assert sum(keras.backend.standardize_dtype(w.dtype) == "int8" for w in layer.weights) == 5


def test_the_mask_of_the_query_is_propagated():
    tokens = np.array([[1, 2, 3, 0, 0], [3, 3, 1, 1, 2]])
    x = keras.layers.Embedding(4, D, mask_zero=True)(tokens)
    output = MultiHeadAttention(N, 3)(query=x, value=random(B, S, D))
    np.testing.assert_array_equal(numpy(output._keras_mask), tokens != 0)
