"""Decoding with a key-value cache, a few positions at a time, equals the full forward pass."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import ALiBi, MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random

B, T, S, N, D, L = 2, 5, 7, 4, 12, 9
INITS = [{}, {"num_key_value_heads": 2, "value_dim": 6, "use_gate": True}, {"sliding_window": 3}, {"use_bias": False}]


def layer_of(**init):
    return noisy(MultiHeadAttention(N, 3, **init), random(B, T, D))


@pytest.mark.parametrize(
    ("init", "steps"),
    [
        (INITS[0], (1,) * T),
        (INITS[1], (2, 1, 2)),
        (INITS[1], (T,)),
        (INITS[2], (1,) * T),
        (INITS[2], (3, 2)),
        (INITS[3], (3, 2)),
    ],
    ids=str,
)
def test_equals_the_full_forward(init, steps):
    layer, x = layer_of(**init), random(B, T, D, seed=1)
    expected, scores = layer(x, use_causal_mask=True, return_attention_scores=True)
    cache, start = layer.make_cache(B, L), 0
    for t in steps:
        stop = start + t
        output, probs, cache = layer(x[:, start:stop], cache=cache, cache_index=start, return_attention_scores=True)
        np.testing.assert_allclose(numpy(output), numpy(expected)[:, start:stop], atol=1e-5)
        np.testing.assert_allclose(numpy(probs)[..., :T], numpy(scores)[:, :, start:stop], atol=1e-5)
        assert not numpy(probs)[..., stop:].any()
        start = stop


def test_the_cache_has_the_key_value_heads():
    cache = layer_of(num_key_value_heads=2, value_dim=6).make_cache(B, L)
    shapes = {name: tuple(x.shape) for name, x in cache.items()}
    assert shapes == {"key": (B, 2, L, 3), "value": (B, 2, L, 6), "mask": (B, L)}


def test_half_precision():
    layer, x = layer_of(dtype="mixed_bfloat16"), random(B, T, D, seed=1)
    cache = layer.make_cache(B, L)
    assert keras.backend.standardize_dtype(cache["key"].dtype) == "bfloat16"
    expected = numpy(ops.cast(layer(x, use_causal_mask=True), "float32"))
    for t in range(T):
        output, cache = layer(x[:, t : t + 1], cache=cache, cache_index=t)
        error = np.abs(numpy(ops.cast(output, "float32"))[:, 0] - expected[:, t]).max()
        assert error < 0.03 * np.abs(expected).max()


def test_bias_by_distance():
    layer, x = layer_of(), random(B, T, D, seed=1)
    alibi = ALiBi(N)
    expected = numpy(layer(x, use_causal_mask=True, attention_bias=alibi(x)))
    cache = layer.make_cache(B, L)
    for t in range(T):
        row = x[:, t : t + 1]
        bias = alibi(row, np.zeros((1, L, 1)), query_offset=t)
        output, cache = layer(row, cache=cache, cache_index=t, attention_bias=bias)
        np.testing.assert_allclose(numpy(output)[:, 0], expected[:, t], atol=1e-5)


def test_a_padded_prompt():
    """Padding in a prompt is visible neither to the prompt nor, with `value_mask`, to later positions."""
    layer, x = layer_of(), random(B, T, D, seed=1)
    real = np.ones((B, T), bool)
    real[0, :2] = False  # left padding, so that later queries come after it
    x[0, :2] = np.nan
    expected = numpy(layer(x, query_mask=real, value_mask=real, use_causal_mask=True))
    prompt, cache = layer(x[:, :4], cache=layer.make_cache(B, L), cache_index=0, query_mask=real[:, :4])
    np.testing.assert_allclose(numpy(prompt), expected[:, :4], atol=1e-5)
    written = np.concatenate([real, np.ones((B, L - T), bool)], 1)
    last, _ = layer(x[:, 4:], cache=cache, cache_index=4, value_mask=written)
    np.testing.assert_allclose(numpy(last), expected[:, 4:], atol=1e-5)


@pytest.mark.parametrize("init", INITS[:2], ids=str)
def test_a_projected_memory_equals_its_values_and_keys(init):
    layer = noisy(MultiHeadAttention(N, 3, **init), random(B, T, D), random(B, S, 10), random(B, S, 8))
    x, value, key = random(B, T, D, seed=1), random(B, S, 10, seed=2), random(B, S, 8, seed=3)
    mask = np.ones((B, S), bool)
    mask[0, 4:] = False
    memory = layer.project_memory(value, key)
    expected, scores = layer(x, value, key, value_mask=mask, return_attention_scores=True)
    output, probs = layer(x, memory=memory, value_mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)
    np.testing.assert_allclose(numpy(probs), numpy(scores), atol=1e-5)
    value[0, 4:] = np.nan
    output = layer(x, memory=layer.project_memory(value, key, mask=mask), value_mask=mask)
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)


@pytest.mark.parametrize("init", INITS[:2], ids=str)
def test_padding_of_a_prompt_is_remembered(init):
    """On the left, as of prompts of unequal lengths, and in between."""
    layer, x = layer_of(**init), random(B, T, D, seed=1)
    mask = np.array([[False, False, True, True, True], [True, False, True, True, True]])
    expected, scores = layer(x, query_mask=mask, use_causal_mask=True, return_attention_scores=True)
    cache, start = layer.make_cache(B, L), 0
    prompt = np.where(mask[:, :3, None], x[:, :3], np.nan)
    for rows, given in ((prompt, {"query_mask": mask[:, :3]}), (x[:, 3:4], {}), (x[:, 4:], {})):
        stop = start + rows.shape[1]
        given = {**given, "cache_index": np.int64(start), "return_attention_scores": True}
        output, probs, cache = layer(rows, cache=cache, **given)
        np.testing.assert_allclose(numpy(output), numpy(expected)[:, start:stop], atol=1e-5)
        np.testing.assert_allclose(numpy(probs)[..., :T], numpy(scores)[:, :, start:stop], atol=1e-5)
        start = stop
    assert numpy(cache["mask"]).tolist() == [[*row, *[False] * (L - T)] for row in mask.tolist()]


def test_padding_of_a_memory_is_remembered():
    layer = noisy(MultiHeadAttention(N, 3), random(B, T, D), random(B, S, 10))
    x, value = random(B, T, D, seed=1), random(B, S, 10, seed=2)
    mask = np.arange(S) < np.array([[4], [7]])
    expected = layer(x, value, value_mask=mask)
    for given in (mask, mask.tolist()):
        output = layer(x, memory=layer.project_memory(np.where(mask[..., None], value, np.nan), mask=given))
        np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)
    with pytest.raises(ValueError, match=r"`value` must be of size 10 on axis -1.*\(2, 7, 12\)"):
        layer.project_memory(random(B, S, D))


@pytest.mark.parametrize("batch", [-2, 2.0, True, "2", (2,)])
def test_an_invalid_batch_size_is_refused_by_name(batch):
    with pytest.raises(ValueError, match="`batch_size` must be an int, 0 or more.*Received: batch_size="):
        layer_of().make_cache(batch, 3)


def test_symbolic_shapes():
    layer = layer_of(num_key_value_heads=2)
    cache = {name: keras.Input((2, L, 3)) for name in ("key", "value")}
    index = keras.Input(batch_shape=(), dtype="int32")
    x = keras.Input((None, D))
    output, scores, new = layer(x, cache=cache, cache_index=index, return_attention_scores=True)
    assert output.shape == (None, None, D) and scores.shape == (None, N, None, L)
    assert {name: x.shape for name, x in new.items()} == {"key": (None, 2, L, 3), "value": (None, 2, L, 3)}
    assert layer(x, memory=cache).shape == (None, None, D)


@pytest.mark.parametrize("jit", [False, True])
def test_decodes_inside_a_graph(jit, tmp_path):
    """A loop over positions in one graph, XLA or not, also from a SavedModel in plain TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a TensorFlow graph")
    import tensorflow as tf

    layer, x = layer_of(num_key_value_heads=2), random(B, T, D, seed=1)
    expected = numpy(layer(x, use_causal_mask=True))

    def decode(x):
        cache = layer.make_cache(tf.shape(x)[0], L)

        def step(i, cache, outputs):
            output, cache = layer(tf.gather(x, [i], axis=1), cache=cache, cache_index=i)
            return i + 1, cache, outputs.write(i, output[:, 0])

        outputs = tf.TensorArray(tf.float32, T, element_shape=(None, D))
        outputs = tf.while_loop(lambda i, *_: i < T, step, (0, cache, outputs))[2]
        return tf.transpose(outputs.stack(), (1, 0, 2))

    shape = x.shape if jit else (None, T, D)  # XLA needs the batch size
    graph = tf.function(decode, input_signature=[tf.TensorSpec(shape)], jit_compile=jit, autograph=False)
    np.testing.assert_allclose(numpy(graph(x)), expected, atol=1e-5)
    if jit:
        return
    module = tf.Module()
    module.decode, module.variables_ = graph, [w.value for w in layer.weights]
    tf.saved_model.save(module, str(tmp_path / "decode"))
    graph_def = graph.get_concrete_function().graph.as_graph_def()
    ops_used = {n.op for f in graph_def.library.function for n in f.node_def}
    assert not [op for op in ops_used if op.startswith("Xla")], "other runtimes do not have XLA's operations"
    loaded = tf.saved_model.load(str(tmp_path / "decode"))
    np.testing.assert_allclose(numpy(loaded.decode(x)), expected, atol=1e-5)


def test_decodes_under_jax_jit():
    if keras.backend.backend() != "jax":
        pytest.skip("JAX's jit")
    import jax

    layer, x = layer_of(num_key_value_heads=2), random(B, T, D, seed=1)
    expected = numpy(layer(x, use_causal_mask=True))

    @jax.jit
    def decode(x):
        def step(cache, i):
            row = jax.lax.dynamic_slice_in_dim(x, i, 1, axis=1)
            output, cache = layer(row, cache=cache, cache_index=i)
            return cache, output[:, 0]

        return jax.lax.scan(step, layer.make_cache(B, L), jax.numpy.arange(T))[1]

    np.testing.assert_allclose(numpy(decode(x)).transpose(1, 0, 2), expected, atol=1e-5)


@pytest.mark.parametrize(
    "call, message",
    [
        ({"cache_index": L - 1}, "room for positions 0 to 9.*cache_index=8"),
        ({"cache_index": np.int64(L)}, "room for positions 0 to 9.*cache_index=9"),
        ({"cache_index": -1}, "cache_index=-1"),
        (
            {"cache_index": 0, "value_mask": np.ones((B, T), bool)},
            "`value_mask` must have the shape of the keys, .2, 9.",
        ),
        ({"cache_index": 0, "value": np.ones((B, S, D), "float32")}, "pass `query` only, or as many values as queries"),
        ({}, "`cache` and `cache_index` go together.*cache given, cache_index=None"),
        ({"cache": None, "cache_index": 0}, "`cache` and `cache_index` go together.*not given, cache_index=0"),
        ({"cache_index": 0, "memory": {}}, "from a `memory` or from a `cache`. Received: both"),
        ({"cache": None, "memory": {"key": np.ones((B, 2, L, 3))}}, "`memory` must be a dict with a `key`"),
        ({"cache_index": 0, "cache": {"key": np.ones((B, N, L, 3))}}, "a `key` and a `value`"),
        (
            {"cache_index": 0, "cache": {"key": np.ones((B, 2, L, 3)), "value": np.ones((B, 2, L, 3))}},
            "must be .B, 4, L, 3.",
        ),
    ],
    ids=lambda v: v[:20] if isinstance(v, str) else ",".join(v),
)
def test_wrong_caches_are_refused(call, message):
    layer = layer_of()
    with pytest.raises(ValueError, match=message):
        layer(random(B, 2, D), **{"cache": layer.make_cache(B, L), **call})


def test_of_an_unknown_number_of_rows_one_must_fit():
    layer, rows = layer_of(), keras.Input(batch_shape=(B, None, D))
    output, _ = layer(rows, cache=layer.make_cache(B, L), cache_index=L - 1)
    assert tuple(output.shape) == (B, None, D)
    with pytest.raises(ValueError, match="room for positions 0 to 9.*cache_index=9"):
        layer(rows, cache=layer.make_cache(B, L), cache_index=L)


def test_project_memory_of_an_unbuilt_layer_is_refused():
    with pytest.raises(ValueError, match="not yet set up.*before `project_memory`"):
        MultiHeadAttention(N, 3).project_memory(random(B, S, D))
