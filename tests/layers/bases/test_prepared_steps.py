"""Prepared decoding steps equal calls with a cache."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import FeedForward, MultiHeadAttention, TransformerDecoderBlock
from keras_attention.layers.bases.prepared_steps import is_plain, prepare
from tests.backend import BACKEND
from tests.layers.helpers import noisy, numpy, random
from tests.variants import variants

B, S, L, D, N = 2, 7, 5, 12, 4
MASK = np.arange(S) < np.array([[4], [7]])
ATTENTION = {
    "default": {},
    "grouped, gated": {"num_key_value_heads": 2, "value_dim": 5, "use_gate": True},
    "window, no biases": {"sliding_window": 2, "use_bias": False},
    "values of size 1": {"value_dim": 1},
    "capped, sinks": {"logit_cap": 0.8, "use_sinks": True},
}
BLOCK = {
    "post-norm": {},
    "pre-norm, biases": {"norm_first": True, "use_bias": True, "activation": "gelu", "key_dim": 5, "value_dim": 2},
    "float64": {"dtype": "float64"},
    "bfloat16": {"dtype": "mixed_bfloat16"},
}


@pytest.mark.parametrize("init", ATTENTION.values(), ids=ATTENTION)
def test_attention(init):
    x, values = random(B, L, D), random(B, S, D, seed=1)
    layer = noisy(MultiHeadAttention(N, 3, **init), x)
    step, ask = layer.prepare_cached_step(), layer.prepare_memory_step()
    memory, expected, cache = layer.project_memory(values, mask=MASK), layer.make_cache(B, L), layer.make_cache(B, L)
    for t in range(L):
        row = ops.convert_to_tensor(x[:, t])
        before, expected = layer(x[:, t : t + 1], cache=expected, cache_index=t)
        after, cache = step(row, cache, ops.convert_to_tensor(t, dtype="int32"))
        np.testing.assert_allclose(numpy(after), numpy(before)[:, 0], atol=1e-5)
        before = layer(x[:, t : t + 1], memory=memory)
        np.testing.assert_allclose(numpy(ask(row, memory)), numpy(before)[:, 0], atol=1e-5)
    assert cache.keys() == expected.keys()
    for name in cache:
        np.testing.assert_allclose(numpy(cache[name]), numpy(expected[name]), atol=1e-5)


def stepped(block, x, step=None):
    """Outputs [B, L, D] of one position after the other, by calls or by a prepared step."""
    cache, outputs = block.make_cache(random(B, S, 10, seed=2), L, MASK), []
    for t in range(L):
        if step is None:
            y, cache = block(x[:, t : t + 1], cache=cache, cache_index=t)
            y = y[:, 0]
        else:
            row = ops.cast(ops.convert_to_tensor(x[:, t]), block.compute_dtype)
            y, cache = step(row, cache, ops.convert_to_tensor(t, dtype="int32"))
        outputs.append(numpy(ops.cast(y, "float32")))
    return np.stack(outputs, 1)


def block_of(**init):
    return noisy(TransformerDecoderBlock(N, 20, **init), random(B, L, D), random(B, S, 10))


@pytest.mark.parametrize("init", variants(BLOCK, "post-norm", "pre-norm, biases", "bfloat16"))
def test_block(init):
    if init.get("dtype") == "float64" and BACKEND != "tensorflow":
        pytest.skip("Keras computes float64 on TensorFlow only")
    block, x = block_of(**init), random(B, L, D)
    expected = stepped(block, x)
    tolerance = 0.03 * np.abs(expected).max() if init.get("dtype") == "mixed_bfloat16" else 1e-5
    np.testing.assert_allclose(stepped(block, x, block.prepare_step()), expected, atol=tolerance)


def test_lora():
    block, x = block_of(), random(B, L, D)
    before = stepped(block, x)
    for dense in (*block.self_attention._projections(), *block.memory_attention._projections()):
        dense.enable_lora(2)
        dense.lora_kernel_b.assign(random(*dense.lora_kernel_b.shape))
    expected = stepped(block, x)
    assert np.abs(expected - before).max() > 0.1
    np.testing.assert_allclose(stepped(block, x, block.prepare_step()), expected, atol=1e-5)


@pytest.mark.usefixtures("few_objects")
def test_int8_weights_are_dequantized():
    """The products of a prepared step are exact for the quantized weights: inputs are not quantized."""
    block, x = block_of(use_bias=True), random(B, L, D)
    block.self_attention.quantize("int8")
    step = block.prepare_step()
    exact = block_of(use_bias=True)
    for ours, theirs in zip(exact.self_attention._projections(), block.self_attention._projections(), strict=True):
        kernel = numpy(theirs.kernel) / numpy(theirs.kernel_scale).reshape(kernel_scale_shape(theirs))
        assert np.abs(kernel - numpy(ours.kernel)).max() > 1e-4
        ours.kernel.assign(kernel)
    np.testing.assert_allclose(stepped(block, x, step), stepped(exact, x), atol=1e-5)


def kernel_scale_shape(dense):
    """[D, N, H]: a scale for each output; [N, V, E] likewise."""
    outputs = len(dense.equation.split("->")[1]) - 2
    return (1,) * (len(dense.kernel.shape) - outputs) + tuple(dense.kernel.shape)[-outputs:]


@pytest.mark.parametrize("change", ["subclass", "attention", "feed-forward", "float8", "int8 with LoRA"])
def test_what_is_not_plain_is_called(change):
    block = block_of()
    if change == "subclass":
        block = noisy(type("Own", (TransformerDecoderBlock,), {})(N, 20), random(B, L, D), random(B, S, 10))
    if change == "attention":
        block.self_attention.__class__ = type("Own", (MultiHeadAttention,), {})
    if change == "feed-forward":
        block.feed_forward.__class__ = type("Own", (FeedForward,), {})
    if change == "float8":
        block.feed_forward.contract.quantize("float8")
    if change == "int8 with LoRA":
        block.memory_attention.quantize("int8")
        block.memory_attention.query_dense.enable_lora(2)
    assert block.prepare_step() is None


def test_prepare_joins_products():
    layers = [keras.layers.Dense(units, activation=name) for units, name in ((3, None), (5, "relu"))]
    x = random(B, D)
    expected = [noisy(layer, x)(x) for layer in layers]
    assert all(is_plain(layer) for layer in layers)
    for ours, theirs in zip(prepare(*layers)(ops.convert_to_tensor(x)), expected, strict=True):
        np.testing.assert_allclose(numpy(ours), numpy(theirs), atol=1e-6)
