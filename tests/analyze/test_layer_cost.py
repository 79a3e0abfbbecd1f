"""Multiply-adds against those that TensorFlow runs; parameters, bytes and errors."""

import math

import keras
import numpy as np
import pytest

from keras_attention import layers, models
from keras_attention.analyze import complexity
from tests.layers.conformance import BACKEND, CASES, FIRST, arrays

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="operations are counted as TensorFlow runs them")

K = keras.layers
SEQUENCE, MEMORY, IMAGE = (2, 5, 12), (2, 7, 12), (2, 6, 8, 4)
UNROLLED = {"unroll": True}  # a loop of Keras runs one step more, of which it needs the shapes


def require_counted(layer, inputs, **kwargs):
    from tests.analyze.counting import multiply_adds

    layer(*inputs, **kwargs)  # builds it, for which Keras may compute more
    expected = multiply_adds(layer, *inputs, **kwargs)
    cost = complexity(layer, *inputs, **kwargs)
    assert cost.multiply_adds == expected
    return cost


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=str(case), marks=[pytest.mark.slow] * (case not in FIRST)) for case in CASES]
)
def test_every_layer_of_the_library(case):
    layer = case.layer(**case.init)
    cost = require_counted(layer, arrays(case), **case.call)
    assert cost.parameters == layer.count_params()
    assert cost.activation_bytes > 0 or case.layer is layers.UnusedConvolution


KERAS = [
    (K.MultiHeadAttention(2, 3), (SEQUENCE, MEMORY)),
    (K.MultiHeadAttention(2, 3, value_dim=4, attention_axes=(1,)), (IMAGE, IMAGE)),
    (K.GroupQueryAttention(3, 4, 2), (SEQUENCE, MEMORY)),
    (K.Attention(), ([SEQUENCE, MEMORY],)),
    (K.AdditiveAttention(), ([SEQUENCE, MEMORY],)),
    (K.Dot(axes=2), ([SEQUENCE, MEMORY],)),
    (K.LSTM(6, **UNROLLED), (SEQUENCE,)),
    (K.GRU(6, reset_after=False, **UNROLLED), (SEQUENCE,)),
    (K.GRU(6, return_sequences=True, **UNROLLED), (SEQUENCE,)),
    (K.SimpleRNN(6, **UNROLLED), (SEQUENCE,)),
    (K.RNN(K.LSTMCell(3), **UNROLLED), (SEQUENCE,)),
    (K.Bidirectional(K.LSTM(6, **UNROLLED)), (SEQUENCE,)),
    (K.TimeDistributed(K.Dense(3)), (IMAGE,)),
    (K.Conv1D(3, 4, padding="causal"), (SEQUENCE,)),
    (K.Conv2D(6, (2, 3), strides=2, groups=2), (IMAGE,)),
    (K.Conv2D(6, 3, dilation_rate=2, padding="same"), (IMAGE,)),
    (K.Conv2DTranspose(3, 3, strides=2), (IMAGE,)),
    (K.DepthwiseConv1D(3), (SEQUENCE,)),
    (K.DepthwiseConv2D(3, depth_multiplier=2), (IMAGE,)),
    (K.SeparableConv1D(5, 3), (SEQUENCE,)),
    (K.SeparableConv2D(5, 3, depth_multiplier=2), (IMAGE,)),
    (K.Dense(5), (IMAGE,)),
    (K.EinsumDense("abc,cde->abde", (None, 3, 4)), (SEQUENCE,)),
    (K.EinsumDense("...x,xy->...y", 3), (SEQUENCE,)),
    (K.SpectralNormalization(K.Dense(3)), (SEQUENCE,)),
    (K.Embedding(9, 4), ((2, 5),)),
    (K.LayerNormalization(), (SEQUENCE,)),
    (K.BatchNormalization(), (SEQUENCE,)),
    (K.GroupNormalization(2), (SEQUENCE,)),
    (K.Activation("gelu"), (SEQUENCE,)),
    (K.MaxPooling2D(2), (IMAGE,)),
    (K.GlobalAveragePooling1D(), (SEQUENCE,)),
]


@pytest.mark.parametrize(("layer", "shapes"), KERAS, ids=[layer.name for layer, _ in KERAS])
def test_layers_of_keras(layer, shapes):
    inputs = [[random(s) for s in shape] if isinstance(shape, list) else random(shape) for shape in shapes]
    cost = require_counted(layer, inputs)
    assert cost.parameters == layer.count_params()


def random(shape):
    return np.random.default_rng(0).random(shape).astype("float32")


# Long inputs, which the operations compute without [T, S].
LONG = {
    "blockwise": (layers.MultiHeadAttention(4, 3), (1, 1100, 8), {}),
    "causal": (layers.MultiHeadAttention(4, 3, num_key_value_heads=2, flash_attention=True), (2, 600, 8), "causal"),
    "window": (layers.MultiHeadAttention(2, 3, sliding_window=20, flash_attention=True), (2, 600, 8), {}),
    "causal window": (layers.MultiHeadAttention(2, 3, sliding_window=20, flash_attention=True), (2, 600, 8), "causal"),
    "additive": (layers.BahdanauAttention(3), (1, 600, 8), "memory"),
    "local monotonic": (layers.LuongAttention(window="local_m"), (1, 1100, 4), "memory"),
    "local predicted": (layers.LuongAttention(window="local_p"), (1, 1100, 4), "masked memory"),
    "concatenation": (layers.NonLocalBlock(pairwise="concatenation"), (1, 48, 48, 4), {}),
    "dot product": (layers.NonLocalBlock(pairwise="dot_product"), (1, 40, 40, 4), {}),
    "local blocks": (layers.LocalAttention1D(2, 3, 64, 32), (1, 300, 4), {}),
}


@pytest.mark.parametrize(("layer", "shape", "kind"), LONG.values(), ids=LONG)
def test_long_inputs(layer, shape, kind):
    x = random(shape)
    inputs = [x, x] if "memory" in kind else [x]
    kwargs = {"use_causal_mask": True} if kind == "causal" else {}
    kwargs |= {"value_mask": np.ones(shape[:2], bool)} if kind == "masked memory" else {}
    cost = require_counted(layer, inputs, **kwargs)
    assert cost.activation_bytes < 4 * math.prod(shape[1:-1]) ** 2


def test_models_are_the_sum_of_their_layers():
    model = models.transformer(11, num_layers=1, model_dim=12, num_heads=3, intermediate_dim=20)
    tokens = {"source": np.ones((2, 5), "int32"), "target": np.ones((2, 4), "int32")}
    cost = require_counted(model, [tokens])
    assert cost == complexity(model, {"source": (2, 5), "target": (2, 4)})
    network, logits = 2 * 12 * 20, 4 * 12 * 11
    encoder, decoder = attention(5, 5) + 5 * network, attention(4, 4) + attention(4, 5) + 4 * network
    assert cost.multiply_adds == 2 * (encoder + decoder + logits)
    assert cost.parameters == model.count_params() and cost.longest_path == 1


def attention(T, S):
    return 2 * T * 12 * 12 + 2 * S * 12 * 12 + 2 * T * S * 12


def test_caches_are_read_as_a_whole():
    layer = layers.MultiHeadAttention(4, 3)
    layer.build((2, 1, 12))
    cost = complexity(layer, (2, 1, 12), cache=layer.make_cache(2, 9), cache_index=3)
    assert cost.multiply_adds == 2 * (4 * 12 * 12 + 9 * 4 * (3 + 3))


def test_activations_are_outputs_and_probabilities():
    """Query, key, value and output of width 12, the context, and 4 x 5 x 7 probabilities of each of 2 samples."""
    cost = complexity(layers.MultiHeadAttention(4, 3), SEQUENCE, MEMORY)
    assert cost.activation_bytes == 4 * 2 * (5 * 12 + 7 * 12 + 7 * 12 + 5 * 12 + 5 * 12 + 4 * 5 * 7)
    half = complexity(layers.MultiHeadAttention(4, 3, dtype="mixed_bfloat16"), SEQUENCE, MEMORY)
    assert half.activation_bytes == cost.activation_bytes / 2
    blockwise = complexity(layers.MultiHeadAttention(4, 3, flash_attention=True), SEQUENCE, MEMORY)
    assert blockwise.activation_bytes == cost.activation_bytes - 4 * 2 * 4 * 5 * 7
    assert complexity(K.LSTM(6), SEQUENCE).activation_bytes == 4 * 2 * 5 * 12


@pytest.mark.parametrize(
    ("layer", "inputs", "error"),
    [
        (len, [(2, 3)], "`layer` must be a Keras layer"),
        (K.Dense(3), [], "`inputs` must be the shapes"),
        (K.Dense(3), [3], "`inputs` must be shapes of ints.*Received: 3"),
        (K.Dense(3), [keras.KerasTensor((None, 3))], "with a known shape"),
    ],
)
def test_errors(layer, inputs, error):
    with pytest.raises(ValueError, match=error):
        complexity(layer, *inputs)
