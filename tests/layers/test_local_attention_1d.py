"""LocalAttention1D against the paper's loops: visibility, and decoding position by position."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.layers import LocalAttention1D, MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random
from tests.layers.local_attention import decoded, dense, seen_by
from tests.reference.local_attention import mask_1d, published_1d

B, T, N, D = 2, 11, 4, 12
INITS = [
    {"query_block": 3, "memory_block": 4, "causal": True, "value_dim": 5},
    {"query_block": 4, "memory_block": 2, "use_bias": False},
    {"query_block": 2, "memory_block": 1, "causal": True, "dilation": 2},
    {"query_block": 3, "memory_block": 0, "causal": True},
]


def layer_of(query_block=3, memory_block=4, causal=True, **init):
    return noisy(LocalAttention1D(N, 3, query_block, memory_block, causal, **init), random(B, T, D))


def visible(layer, length=T):
    return mask_1d(length, layer.query_block, layer.memory_block, layer.causal, layer.dilation)


@pytest.mark.parametrize("init", INITS, ids=str)
def test_is_the_papers_loop_over_heads(init):
    layer, x = layer_of(**init), random(B, T, D, seed=1)
    expected, scores = dense(layer, x, visible(layer))
    output, probs = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-4)
    np.testing.assert_allclose(numpy(output), expected, atol=1e-4)
    np.testing.assert_allclose(numpy(probs), scores, atol=1e-5)


@pytest.mark.parametrize("length", [5, 8, 9, 13])
def test_equal_block_sizes_are_the_published_layer(length):
    layer, x = layer_of(4, 4), random(B, length, D, seed=1)
    expected, _ = dense(layer, x, published_1d(length, 4))
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-4)


def test_equals_multi_head_attention_with_the_public_mask():
    layer, x = layer_of(), random(B, T, D, seed=1)
    full = MultiHeadAttention(N, 3)
    full.build(x.shape)
    full.set_weights(layer.get_weights())
    mask = ops.local_mask_1d(T, 3, 4, causal=True)
    np.testing.assert_allclose(numpy(layer(x)), numpy(full(x, attention_mask=mask)), atol=1e-5)


def test_blocks_of_half_the_length_are_full_causal_attention():
    layer, x = layer_of(6, 6), random(B, T, D, seed=1)
    full = MultiHeadAttention(N, 3)
    full.build(x.shape)
    full.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(layer(x)), numpy(full(x, use_causal_mask=True)), atol=1e-5)


def test_an_output_depends_on_visible_positions_only():
    layer, x, positions = layer_of(), random(1, T, D, seed=1), [(0,), (4,), (10,)]
    for position, changed in zip(positions, seen_by(layer, x, positions), strict=True):
        np.testing.assert_array_equal(changed, visible(layer)[position])


@pytest.mark.parametrize(
    ("init", "steps"), [(INITS[0], (3, 1, 7)), (INITS[0], (1,) * T), (INITS[2], (1,) * T), (INITS[3], (T,))], ids=str
)
def test_decoding_equals_the_full_forward(init, steps):
    layer, x = layer_of(**init), random(B, T, D, seed=1)
    mask = np.ones((B, T), bool)
    mask[0, :2], mask[1, 4] = False, False
    x[~mask] = np.nan
    output, _ = decoded(layer, layer.make_cache(B, T), x, steps, mask)
    np.testing.assert_allclose(output, numpy(layer(x, mask=mask)), atol=1e-5)


def test_a_cache_is_as_long_as_the_reach():
    layer = layer_of(3, 4, dilation=2)
    assert tuple(layer.make_cache(B, 1000)["key"].shape) == (B, 2 * (3 + 4), 1, N, 3)
    assert tuple(layer.make_cache(B, 5)["key"].shape) == (B, 5, 1, N, 3)
    cache = layer_of(dtype="mixed_bfloat16").make_cache(B, 5)
    assert keras.backend.standardize_dtype(cache["key"].dtype) == "bfloat16"


def test_a_cache_in_half_precision():
    layer, x = layer_of(dtype="mixed_bfloat16"), random(B, T, D, seed=1)
    expected, cache = numpy(keras.ops.cast(layer(x), "float32")), layer.make_cache(B, T)
    for t in range(T):
        output, cache = layer(x[:, t : t + 1], cache=cache, cache_index=t)
        error = np.abs(numpy(keras.ops.cast(output, "float32"))[:, 0] - expected[:, t]).max()
        assert error < 0.03 * np.abs(expected).max()


def test_symbolic_steps():
    layer = layer_of()
    cache = {name: keras.KerasTensor((None, *x.shape[1:]), x.dtype) for name, x in layer.make_cache(B, 30).items()}
    index = keras.Input(batch_shape=(), dtype="int32")
    output, new = layer(keras.Input((1, D)), cache=cache, cache_index=index)
    assert output.shape == (None, 1, D)
    assert {name: x.shape for name, x in new.items()} == {name: x.shape for name, x in cache.items()}


def test_decodes_inside_a_graph():
    """Of unknown sizes; see the same test of images for XLA."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a TensorFlow graph")
    import tensorflow as tf

    layer, x = layer_of(), random(B, T, D, seed=1)

    def decode(x):
        def step(i, cache, outputs):
            output, cache = layer(tf.gather(x, [i], axis=1), cache=cache, cache_index=i)
            return i + 1, cache, outputs.write(i, output[:, 0])

        outputs = tf.TensorArray(tf.float32, T, element_shape=(None, D))
        state = (0, layer.make_cache(tf.shape(x)[0], T), outputs)
        return tf.transpose(tf.while_loop(lambda i, *_: i < T, step, state)[2].stack(), (1, 0, 2))

    graph = tf.function(decode, input_signature=[tf.TensorSpec((None, T, D))], autograph=False)
    np.testing.assert_allclose(numpy(graph(x)), numpy(layer(x)), atol=1e-5)


def test_decodes_under_jax_jit():
    if keras.backend.backend() != "jax":
        pytest.skip("JAX's jit")
    import jax

    layer, x = layer_of(), random(B, T, D, seed=1)

    @jax.jit
    def decode(x):
        def step(cache, i):
            row = jax.lax.dynamic_slice_in_dim(x, i, 1, axis=1)
            output, cache = layer(row, cache=cache, cache_index=i)
            return cache, output[:, 0]

        return jax.lax.scan(step, layer.make_cache(B, T), jax.numpy.arange(T))[1]

    np.testing.assert_allclose(numpy(decode(x)).transpose(1, 0, 2), numpy(layer(x)), atol=1e-5)


@pytest.mark.parametrize(
    "init, message",
    [
        ({"query_block": 0}, "`query_block` must be a positive int"),
        ({"memory_block": -1}, "`memory_block` must be an int of at least 0"),
        ({"memory_block": 2.0}, "`memory_block`"),
        ({"dilation": 0}, "`dilation`"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"value_dim": 0}, "`value_dim`"),
    ],
    ids=str,
)
def test_bad_arguments_are_named(init, message):
    with pytest.raises(ValueError, match=message):
        LocalAttention1D(**{"num_heads": N, "key_dim": 3, "query_block": 2, "memory_block": 2, **init})


@pytest.mark.parametrize(
    "x, call, message",
    [
        (random(B, 2, T, D), {}, r"`inputs` must be \[B, T, D\]"),
        (random(B, T, D), {"mask": np.ones((B, T + 1), bool)}, "`mask` must have the shape of the inputs"),
        (random(B, 1, D), {"cache_index": 0}, "`cache_index` needs a `cache`"),
        (random(B, 1, D), {"cache": True}, "`cache_index` must be given"),
        (random(B, 1, D), {"cache": True, "cache_index": -1}, "cache_index=-1"),
        (random(B, 1, D), {"cache": True, "cache_index": 0, "return_attention_scores": True}, "no scores"),
        (random(B, 1, D), {"cache": {"key": 1}, "cache_index": 0}, "what `make_cache` returned"),
    ],
    ids=lambda v: v[:20] if isinstance(v, str) else "",
)
def test_bad_inputs_are_named(x, call, message):
    layer = layer_of()
    if call.get("cache") is True:
        call = {**call, "cache": layer.make_cache(B, T)}
    with pytest.raises(ValueError, match=message):
        layer(x, **call)


def test_a_cache_needs_causality():
    layer = layer_of(causal=False)
    with pytest.raises(ValueError, match="causal=True"):
        layer(random(B, 1, D), cache=layer.make_cache(B, T), cache_index=0)


def test_a_cache_shorter_than_the_reach_has_room_for_no_more_than_its_length():
    x = random(B, 1, D)
    short, ring = (layer_of().make_cache(B, length) for length in (5, 40))  # the reach is 3 + 4
    layer = layer_of()
    layer(x, cache=short, cache_index=4)
    with pytest.raises(ValueError, match="room for positions 0 to 5 .*cache_index=5"):
        layer(x, cache=short, cache_index=5)
    assert ring["key"].shape[1] == 7
    layer(x, cache=ring, cache_index=39)


@pytest.mark.parametrize("shape", [(0, 5, D), (2, 0, D)])
def test_empty_inputs(shape):
    layer = LocalAttention1D(2, 3, query_block=2, memory_block=1, causal=True)
    output, scores = layer(np.zeros(shape), mask=np.ones(shape[:2], bool), return_attention_scores=True)
    assert tuple(output.shape) == shape == tuple(layer(np.zeros(shape)).shape)
    assert tuple(scores.shape) == (shape[0], 2, shape[1], shape[1])
    output, _ = layer(np.zeros((2, 0, D)), cache=layer.make_cache(2, 4), cache_index=4)
    assert tuple(output.shape) == (2, 0, D)


def test_the_index_of_a_cache_is_any_integer_and_checked_where_it_is_known():
    layer = noisy(LocalAttention1D(2, 3, query_block=4, memory_block=9, causal=True), random(B, 3, D))
    cache, x = layer.make_cache(B, 5), random(B, 2, D)
    expected = numpy(layer(x, cache=cache, cache_index=1)[0])
    for index in (np.int64(1), keras.ops.cast(1, "int64"), keras.ops.cast(1, "int32")):
        np.testing.assert_allclose(numpy(layer(x, cache=cache, cache_index=index)[0]), expected, atol=1e-6)
    unknown = keras.Input(batch_shape=(B, None, D))
    assert tuple(layer(unknown, cache=cache, cache_index=4)[0].shape) == (B, None, D)
    for bad in (4, np.int64(-1), keras.ops.cast(4, "int32")):
        with pytest.raises(ValueError, match="room for positions 0 to 5 "):
            layer(x, cache=cache, cache_index=bad)
    for bad in (1.0, True, np.array([1, 2])):
        with pytest.raises(ValueError, match="`cache_index` must be an int"):
            layer(x, cache=cache, cache_index=bad)
