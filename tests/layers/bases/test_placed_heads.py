"""Rotary positions and normalized heads inside of multi-head attention, against loops."""

import numpy as np
import pytest
from keras import ops

from keras_attention import models
from keras_attention.layers import (
    ALiBi,
    MultiHeadAttention,
    RelativePositionBias,
    RotaryEmbedding,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)
from tests.layers.helpers import noisy, numpy, random

X = random(2, 7, 12)


def attention(**arguments):
    given = {"rotary": RotaryEmbedding(layout="halves", rotary_dim=4), "query_key_norm": True, **arguments}
    return noisy(MultiHeadAttention(4, 6, num_key_value_heads=2, **given), X)


@pytest.mark.parametrize("given", [{}, {"query_key_norm": False}, {"rotary": None}], ids=["both", "rotary", "norm"])
def test_logits_depend_on_distances_alone(given):
    """`query_offset` shifts the queries against the keys: the scores are those of a sequence in which they lie so."""
    layer = attention(**given)
    whole = layer(X, use_causal_mask=True, return_attention_scores=True)[1]
    last = layer(X[:, 4:], X, use_causal_mask=True, query_offset=4, return_attention_scores=True)[1]
    np.testing.assert_allclose(numpy(last), numpy(whole)[:, :, 4:], atol=1e-5)
    if layer.rotary is not None:
        apart = layer(X[:, 4:], X, use_causal_mask=True, query_offset=5, return_attention_scores=True)[1]
        assert np.abs(numpy(apart) - numpy(last))[..., :4].max() > 1e-3


@pytest.mark.parametrize("chunks", [(1,) * 7, (3, 4)], ids=str)
def test_cached_equals_full(chunks):
    layer = attention()
    whole, cache, start = numpy(layer(X, use_causal_mask=True)), layer.make_cache(2, 9), 0
    for size in chunks:
        piece = X[:, start : start + size]
        output, cache = layer(piece, cache=cache, cache_index=ops.convert_to_tensor(start, "int32"))
        np.testing.assert_allclose(numpy(output), whole[:, start : start + size], atol=1e-5)
        start += size


def test_prepared_steps_equal_the_full_forward():
    layer = attention(use_gate=True)
    whole, cache, step = numpy(layer(X, use_causal_mask=True)), layer.make_cache(2, 9), layer.prepare_cached_step()
    for i in range(7):
        output, cache = step(ops.convert_to_tensor(X[:, i]), cache, ops.convert_to_tensor(i, "int32"))
        np.testing.assert_allclose(numpy(output), whole[:, i], atol=1e-5)


def test_a_memory_is_projected_with_its_positions():
    layer = attention()
    memory = random(2, 5, 12, seed=3)
    expected = numpy(layer(X, memory))
    np.testing.assert_allclose(numpy(layer(X, memory=layer.project_memory(memory))), expected, atol=1e-5)


def test_the_rotation_computes_in_the_dtype_of_the_attention():
    layer = attention(dtype="mixed_float16")
    output, cache = layer(X[:, :1], cache=layer.make_cache(2, 3), cache_index=0)
    assert {str(x.dtype).removeprefix("torch.") for x in (output, cache["key"])} <= {"float16", "<dtype: 'float16'>"}


BIASES = {
    "alibi": lambda: ALiBi(4),
    "relative": lambda: RelativePositionBias(4, num_buckets=6, max_distance=9, initializer="random_normal"),
}


@pytest.mark.parametrize("name", BIASES)
def test_a_position_bias_is_that_bias_of_the_call(name):
    """Alone, and added to another one, by distance or by pair."""
    layer = attention(position_bias=BIASES[name](), rotary=None)
    table = next((weight for weight in layer.weights if weight.path.endswith("table")), None)
    plain = attention(rotary=None)
    plain.set_weights([numpy(weight) for weight in layer.weights if weight is not table])
    maker = BIASES[name]()
    maker.build(X.shape)
    maker.set_weights([] if table is None else [numpy(table)])
    bias = numpy(maker(X[:, 4:], X, query_offset=4))
    by_distance, by_pair = random(1, 4, 9, seed=5), random(2, 1, 3, 7, seed=6)
    distances = np.arange(7)[None] - np.arange(3)[:, None] + 2
    for given, whole in (
        (None, bias),
        (by_distance, bias + by_distance),
        (by_pair, bias[..., distances] + by_pair),
    ):
        found = layer(X[:, 4:], X, query_offset=4, attention_bias=given)
        expected = plain(X[:, 4:], X, query_offset=4, attention_bias=whole)
        np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-5)


@pytest.mark.parametrize("name", BIASES)
def test_cached_and_prepared_steps_have_the_position_bias(name):
    layer = attention(position_bias=BIASES[name]())
    whole, cache, step = numpy(layer(X, use_causal_mask=True)), layer.make_cache(2, 9), layer.prepare_cached_step()
    output, cache = layer(X[:, :3], cache=cache, cache_index=ops.convert_to_tensor(0, "int32"))
    np.testing.assert_allclose(numpy(output), whole[:, :3], atol=1e-5)
    for i in range(3, 7):
        at = ops.convert_to_tensor(i, "int32")
        called, _ = layer(X[:, i : i + 1], cache=cache, cache_index=at)
        output, cache = step(ops.convert_to_tensor(X[:, i]), cache, at)
        np.testing.assert_allclose(numpy(output), whole[:, i], atol=1e-5)
        np.testing.assert_allclose(numpy(called)[:, 0], whole[:, i], atol=1e-5)


def test_both_blocks_take_a_position_bias_each_with_a_table_of_its_own():
    parts = {"attention": {"position_bias": BIASES["relative"]()}}
    blocks = [block(4, 20, **parts) for block in (TransformerEncoderBlock, TransformerDecoderBlock)]
    for block in blocks:
        block(X)
    tables = [block.self_attention.position_bias.table for block in blocks]
    assert tables[0] is not tables[1] and all(tuple(table.shape) == (6, 4) for table in tables)
    model = models.GPT(11, 2, 12, 4, 20, 9, attention={"position_bias": ALiBi(4)})
    assert type(model.decoder.blocks[1].self_attention.position_bias) is ALiBi
    again = type(model).from_config(model.get_config())
    assert type(again.decoder.blocks[1].self_attention.position_bias) is ALiBi


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`position_bias` must be a layer of biases, such as `ALiBi`, or `None`"):
        MultiHeadAttention(2, 4, position_bias="alibi")
    with pytest.raises(ValueError, match=r"With `position_bias`, `query` must be \[B, T, D\]. .*\(2, 3, 4, 8\)"):
        MultiHeadAttention(2, 4, position_bias=ALiBi(2))(random(2, 3, 4, 8))
    with pytest.raises(ValueError, match="of as many heads. Received: position_bias.num_heads=3, num_heads=2"):
        MultiHeadAttention(2, 4, position_bias=ALiBi(3))(X)
    bias = BIASES["relative"]()
    bias(X)
    with pytest.raises(ValueError, match="`position_bias` must not be built.*as `attention_bias`"):
        MultiHeadAttention(4, 3, position_bias=bias)
    with pytest.raises(ValueError, match="`rotary` must be a `RotaryEmbedding` or `None`. Received: rotary=True"):
        MultiHeadAttention(2, 4, rotary=True)
    with pytest.raises(ValueError, match="`query_key_norm`.*query_key_norm='rms'"):
        MultiHeadAttention(2, 4, query_key_norm="rms")
    with pytest.raises(ValueError, match=r"With `rotary`, `query` must be \[B, T, D\]. .*\(2, 3, 4, 8\)"):
        MultiHeadAttention(2, 4, rotary=RotaryEmbedding())(random(2, 3, 4, 8))
    with pytest.raises(ValueError, match="even number.*rotary_dim=None"):
        MultiHeadAttention(2, 3, rotary=RotaryEmbedding())(random(2, 3, 8))


def test_sinks_are_a_key_of_zeros_with_a_bias():
    """As one more key whose value is zero: the scores of the others are the same."""
    layer = noisy(MultiHeadAttention(4, 6, use_bias=False, use_sinks=True, logit_cap=0.8), X)
    plain = MultiHeadAttention(4, 6, use_bias=False, logit_cap=0.8)
    plain.build(X.shape)
    plain.set_weights([w for w in layer.get_weights() if w.shape != (4,)])
    longer = np.concatenate([X, np.zeros((2, 1, 12), "float32")], axis=1)
    bias = np.zeros((1, 4, 7, 8), "float32")
    bias[..., 7] = numpy(layer.sinks)[:, None]
    output, scores = layer(X, return_attention_scores=True)
    expected, seen = plain(X, longer, attention_bias=bias, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)
    np.testing.assert_allclose(numpy(scores), numpy(seen)[..., :7], atol=1e-6)
    assert numpy(seen)[..., 7].min() > 0.01


def test_a_subclass_with_its_own_attention_takes_no_cap():
    class Own(MultiHeadAttention):
        def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_scores=False):
            return query, None

    for given in ({"logit_cap": 2.0}, {"use_sinks": True}):
        with pytest.raises(ValueError, match="are not supported where a subclass overrides `_compute_attention`"):
            Own(2, 6, **given)(X)
