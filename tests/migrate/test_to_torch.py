"""Weights of layers as PyTorch's: the inverse of the conversion, and outputs of PyTorch's modules with them."""

import keras
import numpy as np
import pytest

from keras_attention import layers, migrate
from tests import goldens
from tests.backend import numpy
from tests.migrate import torch_modules as modules
from tests.migrate.torch_modules import B, D, F, N, S, T

GOLDENS = goldens.cases("torch_modules")
PLAIN = [name for name in GOLDENS if name in modules.ATTENTIONS or "no_bias" not in name]


def built(layer, *widths):
    """The layer with noise in all weights."""
    axes = 3 if getattr(layer, "attention_axes", None) else 2
    layer.build(*((*(None,) * axes, width) for width in widths))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.get_weights()])
    return layer


def attention(key_dim=2, widths=(D, D), **kwargs):
    return built(layers.MultiHeadAttention(N, key_dim, **kwargs), *widths)


def encoder_block(**kwargs):
    return built(layers.TransformerEncoderBlock(N, F, **kwargs), D)


def decoder_block(memory_width=D, **kwargs):
    return built(layers.TransformerDecoderBlock(N, F, **kwargs), D, memory_width)


def noise(*shape):
    return np.random.default_rng(2).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("name", PLAIN)
def test_inverts_the_conversion(name):
    weights = GOLDENS[name]["weights"]
    found = migrate.to_torch(modules.convert(name, weights))
    assert set(found) == set(weights)
    for key, weight in weights.items():
        assert found[key].dtype == np.float32 and found[key].flags.c_contiguous
        np.testing.assert_array_equal(found[key], weight, err_msg=key)


def test_absent_biases_of_blocks_become_zeros():
    name = "decoder_layer_no_bias_first"
    weights = GOLDENS[name]["weights"]
    found = migrate.to_torch(modules.convert(name, weights))
    added = {key: array for key, array in found.items() if key not in weights}
    assert len(added) == 9 and all(key.endswith("bias") and not array.any() for key, array in added.items())
    assert added["multihead_attn.in_proj_bias"].shape == (3 * D,) and added["linear1.bias"].shape == (F,)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_modules_with_these_weights_return_what_the_blocks_do(norm_first, use_bias):
    torch = pytest.importorskip("torch")
    given = {"norm_first": norm_first, "activation": "gelu"}
    theirs = {**given, "dim_feedforward": F, "batch_first": True, "layer_norm_eps": 1e-6}
    y, x = noise(B, T, D), noise(B, S, D)
    for block, kind, inputs, call in (
        (encoder_block(use_bias=use_bias, **given), "TransformerEncoderLayer", [y], {}),
        (decoder_block(use_bias=use_bias, **given), "TransformerDecoderLayer", [y, x], {"use_causal_mask": False}),
    ):
        module = getattr(torch.nn, kind)(D, N, **theirs).eval()
        module.load_state_dict({name: torch.from_numpy(array) for name, array in migrate.to_torch(block).items()})
        with torch.no_grad():
            expected = module(*map(torch.from_numpy, inputs)).numpy()
        np.testing.assert_allclose(numpy(block(*inputs, **call)), expected, rtol=1e-5, atol=1e-5)


def test_half_precision_becomes_float32():
    found = migrate.to_torch(encoder_block(dtype="bfloat16"))
    assert {array.dtype for array in found.values()} == {np.dtype("float32")}


def quantized():
    layer = attention()
    layer.quantize("int8")
    return layer


def adapted():
    block = encoder_block()
    block.feed_forward.expand.enable_lora(2)
    return block


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: attention(value_dim=3), "must have value_dim=2. Received: value_dim=3"),
        (lambda: attention(num_key_value_heads=1), "must have num_key_value_heads=3. Received: num_key_value_heads=1"),
        (lambda: attention(use_gate=True), "must have use_gate=False. Received: use_gate=True"),
        (lambda: attention(sliding_window=2), "must have sliding_window=None. Received: sliding_window=2"),
        (lambda: attention(attention_axes=2), r"must have attention_axes=\(1,\). Received: attention_axes=\(2,\)"),
        (lambda: attention(output_shape=5), r"must have output_shape=\(6,\). Received: output_shape=\(5,\)"),
        (lambda: attention(key_dim=4), "must have width of the queries=12, output_shape=.12,.. Received: .*=6"),
        (
            lambda: attention(rotary=layers.RotaryEmbedding()),
            "must have rotary=None. Received: rotary=<RotaryEmbedding",
        ),
        (lambda: attention(query_key_norm=True), "must have query_key_norm=False. Received: query_key_norm=True"),
        (lambda: attention(logit_cap=2.0), "must have logit_cap=None. Received: logit_cap=2.0"),
        (lambda: attention(use_sinks=True), "must have use_sinks=False. Received: use_sinks=True"),
        (lambda: encoder_block(key_dim=4), "in place of `self_attention` must have value_dim=4, "),
        (lambda: encoder_block(norm="rms"), "must have norm=layer. Received: norm=rms"),
        (
            lambda: encoder_block(feed_forward=layers.GatedFeedForward(F)),
            "must have feed_forward=FeedForward, use_bias",
        ),
        (lambda: encoder_block(feed_forward={"use_bias": False}), "must have use_bias of the feed_forward=True"),
        (lambda: encoder_block(attention={"logit_cap": 2.0}), "in place of `self_attention` must have logit_cap=None"),
        (lambda: decoder_block(7), "in place of `memory_attention` must have width of the memory=6. Received: .*=7"),
        (lambda: built(layers.TransformerDecoderBlock(N, F), D), "must have a memory=True. Received: a memory=False"),
        (lambda: layers.MultiHeadAttention(N, 2), "must be built"),
        (lambda: keras.layers.Dense(3), "must be a MultiHeadAttention, .*Received: Dense"),
        (quantized, "must be neither quantized nor adapted.*kernel_scale"),
        (adapted, "must be neither quantized nor adapted.*lora_kernel_a"),
        (list, r"blocks of one kind.*Received: \[\]"),
        (lambda: [encoder_block(), decoder_block()], "blocks of one kind.*TransformerDecoderBlock"),
        (lambda: {"memory": [encoder_block()]}, r"must have the keys.*Received: \['memory'\]"),
    ],
)
def test_layers_that_torch_lacks_raise_errors(make, message):
    with pytest.raises(ValueError, match=message):
        migrate.to_torch(make())


def test_subclass_raises_an_error():
    class Twice(layers.MultiHeadAttention):
        def call(self, x):
            return 2 * super().call(x)

    with pytest.raises(ValueError, match="Received: Twice"):
        migrate.to_torch(built(Twice(N, 2), D))


def test_normalization_without_offset_raises_an_error():
    norm = built(keras.layers.LayerNormalization(center=False), D)
    with pytest.raises(ValueError, match="must have `center=True`"):
        migrate.to_torch([encoder_block(), norm])
