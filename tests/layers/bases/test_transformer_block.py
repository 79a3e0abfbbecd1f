"""What encoder and decoder block share: arguments, seeds, initializers."""

import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import numpy, random

BLOCKS = [layers.TransformerEncoderBlock, layers.TransformerDecoderBlock]
each_block = pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)


def built(block, **arguments):
    layer = block(3, 9, **arguments)
    layer(*[random(2, 5, 12)] * (1 + (block is layers.TransformerDecoderBlock)))
    return layer


@each_block
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads`.*num_heads=0"),
        ({"intermediate_dim": 2.5}, "`intermediate_dim`.*intermediate_dim=2.5"),
        ({"key_dim": 0}, "`key_dim`.*key_dim=0"),
        ({"value_dim": -1}, "`value_dim`.*value_dim=-1"),
        ({"dropout": 1.0}, "`dropout`.*dropout=1.0"),
        ({"attention_dropout": -0.1}, "`attention_dropout`.*attention_dropout=-0.1"),
    ],
)
def test_bad_arguments(block, arguments, message):
    with pytest.raises(ValueError, match=message):
        block(**{"num_heads": 3, "intermediate_dim": 9, **arguments})


@each_block
def test_heads_must_divide_the_width(block):
    x = [random(2, 5, 10)] * (1 + (block is layers.TransformerDecoderBlock))
    with pytest.raises(ValueError, match=r"divisible by `num_heads`.*\(2, 5, 10\), num_heads=3"):
        block(3, 9)(*x)
    assert tuple(block(3, 9, key_dim=4, value_dim=6)(*x).shape) == (2, 5, 10)
    with pytest.raises(ValueError, match=r"\[B, T, D\].*\(2, 10\)"):
        block(3, 9)(*[random(2, 10)] * len(x))


@each_block
def test_value_dim_is_the_width_per_head_whatever_key_dim_is(block):
    """Rows (B) of Table 3 of "Attention Is All You Need" change the size of the keys only."""
    attention = built(block, key_dim=2).self_attention
    assert (attention.key_dim, attention.value_dim) == (2, 4)


@each_block
def test_attention_has_biases_only_with_use_bias(block):
    count = {layers.TransformerEncoderBlock: 12, layers.TransformerDecoderBlock: 18}[block]
    assert len(built(block).weights) == count
    assert len(built(block, use_bias=True).weights) == count + 4 * (count // 6 - 1)


@each_block
def test_kernels_are_initialized_independently_and_norms_have_the_published_epsilon(block):
    layer = built(block)
    kernels = [numpy(w).reshape(12, -1)[:, :9] for w in layer.weights if w.shape[0] == 12 and len(w.shape) > 1]
    assert min(np.abs(a - b).max() for i, a in enumerate(kernels) for b in kernels[:i]) > 1e-2
    norms = [x for x in layer._flatten_layers() if isinstance(x, keras.layers.LayerNormalization)]
    assert {norm.epsilon for norm in norms} == {1e-6} and len(norms) == len(layer.weights) // 6


@each_block
def test_a_seed_makes_dropout_repeatable(block):
    x = [random(2, 5, 12)] * (1 + (block is layers.TransformerDecoderBlock))
    outputs = []
    for seed in (1, 1, 2):
        layer = built(block, dropout=0.5, seed=seed)
        layer.set_weights([random(*w.shape, seed=i) for i, w in enumerate(layer.weights)])
        outputs.append(numpy(layer(*x, training=True)))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-2


@each_block
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": 3}, "`attention` must be a layer, a dict or `None`. Received: attention=3"),
        ({"attention": {"num_heads": 3}}, "`attention` must hold arguments of its layer.*num_heads"),
        ({"attention": {"window": 3}}, "`attention` must hold arguments of its layer.*window"),
        ({"attention": {"num_key_value_heads": 2}}, "`attention` must hold.*num_key_value_heads=2"),
        ({"attention": layers.MultiHeadAttention(4, 5)}, "`num_heads` of `attention` must be.* 3. Received: 4"),
        ({"feed_forward": "gated"}, "`feed_forward` must be a layer, a dict or `None`.*'gated'"),
        ({"feed_forward": {"units": 3}}, "`feed_forward` must hold arguments of its layer.*units"),
        ({"feed_forward": layers.GatedFeedForward(8)}, "`intermediate_dim` of `feed_forward` must be.* 9. Received: 8"),
        ({"norm": "batch"}, "`norm`.*norm='batch'"),
    ],
)
def test_bad_parts(block, arguments, message):
    with pytest.raises(ValueError, match=message):
        block(3, 9, **arguments)


@each_block
def test_arguments_of_the_parts_go_over_those_of_the_block(block):
    attention = {"key_dim": 2, "dropout": 0.2, "sliding_window": 3}
    layer = built(block, use_bias=True, attention=attention, feed_forward={"activation": "gelu", "use_bias": False})
    own = layer.self_attention
    assert (own.key_dim, own.value_dim, own.dropout, own.sliding_window, own.use_bias) == (2, 4, 0.2, 3, True)
    assert layer.feed_forward.activation is keras.activations.gelu and layer.feed_forward.expand.bias is None
    if block is layers.TransformerDecoderBlock:
        assert (layer.memory_attention.key_dim, layer.memory_attention.sliding_window) == (4, None)


@each_block
def test_layers_as_parts_survive_the_file(block, tmp_path):
    attention = layers.MultiHeadAttention(3, 4, rotary=layers.RotaryEmbedding(scaling={"kind": "ntk", "factor": 2.0}))
    layer = block(3, 9, attention=attention, feed_forward=layers.GatedFeedForward(9), norm="rms", norm_first=True)
    x = [keras.Input((None, 12)) for _ in range(1 + (block is layers.TransformerDecoderBlock))]
    model = keras.Model(x if len(x) > 1 else x[0], layer(*x))
    for i, weight in enumerate(model.weights):
        weight.assign(random(*weight.shape, seed=i))
    assert layer.self_attention is attention and isinstance(layer.feed_forward_norm, layers.RMSNormalization)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    given = [random(2, 5, 12, seed=i) for i in range(len(x))]
    given = given if len(given) > 1 else given[0]
    np.testing.assert_allclose(numpy(twin(given)), numpy(model(given)), atol=1e-6)
    assert twin.layers[-1].self_attention.rotary.scaling == {"kind": "ntk", "factor": 2.0}
    for weight in twin.weights:
        weight.assign(0 * weight)
    twin.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(numpy(twin(given)), numpy(model(given)), atol=1e-6)
