"""MultiHeadAttention against the paper's loops, and what Keras's layer does not have."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import ALiBi, MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random, weights_of
from tests.reference import multi_head_attention as reference

B, T, S, N, D = 2, 5, 7, 4, 12


@pytest.mark.parametrize(
    ("init", "causal"),
    [
        ({}, True),
        ({"use_bias": False, "value_dim": 6}, False),
        ({"num_key_value_heads": 2, "value_dim": 6}, True),
        ({"num_key_value_heads": 1}, False),
        ({"sliding_window": 3, "output_shape": 9}, False),
        ({"sliding_window": 3, "output_shape": 9}, True),
    ],
    ids=str,
)
def test_is_the_papers_loop_over_heads(init, causal):
    layer = noisy(MultiHeadAttention(N, 3, **init), random(B, T, D), random(B, S, 10), random(B, S, 8))
    query, value, key = random(B, T, D, seed=1), random(B, S, 10, seed=2), random(B, S, 8, seed=3)
    mask = np.random.default_rng(4).random((B, N, T, S)) < 0.7
    mask[0, :, 2] = False  # a fully masked query
    bias = random(B, N, T, S, seed=5)
    t, s = np.arange(T)[:, None], np.arange(S)
    sees = mask & (s <= t + 1 if causal else True) & (abs(t + 1 - s) < init.get("sliding_window", 99))
    expected, scores = reference.multi_head(query, value, key, weights_of(layer), sees, bias)
    call = {"attention_mask": mask, "attention_bias": bias, "use_causal_mask": causal, "query_offset": 1}
    output, probs = layer(query, value, key, return_attention_scores=True, **call)
    np.testing.assert_allclose(numpy(output), expected, atol=1e-4)
    np.testing.assert_allclose(numpy(probs), scores, atol=1e-5)
    np.testing.assert_allclose(numpy(layer(query, value, key, **call)), expected, atol=1e-4)


def test_one_head_is_equation_1():
    layer = noisy(MultiHeadAttention(1, 3, use_bias=False), random(B, T, D))
    W = {name: kernel for name, (kernel, _) in weights_of(layer).items()}
    x = random(B, T, D, seed=1)
    context, _ = reference.attention(x[0] @ W["query"][:, 0], x[0] @ W["key"][:, 0], x[0] @ W["value"][:, 0])
    np.testing.assert_allclose(numpy(layer(x))[0], context @ W["output"][0], atol=1e-4)


def test_kernels_are_initialized_as_matrices():
    """Glorot's limit at D = 512 is 0.0765, not the 0.0128 of a kernel taken for a convolution."""
    layer = MultiHeadAttention(8, 64)
    layer.build((None, None, 512))
    for dense in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense):
        assert 0.0755 < np.abs(numpy(dense.kernel)).max() <= 0.0766


def test_projections_are_initialized_independently():
    layer = MultiHeadAttention(3, 4)
    layer.build((None, None, 12))
    assert np.abs(numpy(layer.query_dense.kernel) - numpy(layer.key_dense.kernel)).max() > 0.01


def test_one_tensor_is_self_attention():
    layer = noisy(MultiHeadAttention(N, 3), random(B, T, D))
    x = random(B, T, D, seed=1)
    np.testing.assert_array_equal(numpy(layer(x)), numpy(layer(x, x)))
    sequential = keras.Sequential([keras.Input((None, D)), layer])
    np.testing.assert_allclose(numpy(sequential(x)), numpy(layer(x)), atol=1e-6)


def test_one_tensor_uses_its_keras_mask():
    layer = noisy(MultiHeadAttention(N, 3), random(B, T, D))
    tokens = np.array([[3, 1, 4, 0, 0], [1, 5, 9, 2, 6]])
    x = keras.layers.Embedding(10, D, mask_zero=True)(tokens)
    plain = ops.convert_to_tensor(numpy(x))
    expected = numpy(layer(plain, plain, query_mask=tokens > 0, value_mask=tokens > 0))
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-6)
    np.testing.assert_allclose(numpy(layer(x, x)), expected, atol=1e-6)
    assert np.abs(expected - numpy(layer(plain))).max() > 1e-3


def test_time_distributed_with_a_mask():
    inner = MultiHeadAttention(N, 3)
    layer = keras.layers.TimeDistributed(inner)
    x = random(B, 6, T, D)
    layer(x)
    output = numpy(layer(x))
    for i in range(6):
        np.testing.assert_allclose(output[:, i], numpy(inner(x[:, i])), atol=1e-5)


@pytest.mark.parametrize("call", ["eager", "model"])
def test_the_keras_mask_of_the_query_is_propagated(call):
    tokens = np.array([[3, 1, 4, 0, 0], [1, 5, 9, 2, 6]])
    embedding, layer = keras.layers.Embedding(10, D, mask_zero=True), MultiHeadAttention(N, 3, use_bias=False)
    pool = keras.layers.GlobalAveragePooling1D()
    attended = layer(embedding(tokens))
    expected = numpy(attended)
    expected = np.stack([expected[0, :3].mean(0), expected[1].mean(0)])
    if call == "eager":
        result = pool(attended)
    else:
        inputs = keras.Input((None,), dtype="int32")
        x = embedding(inputs)
        result = keras.Model(inputs, pool(layer(x, x, return_attention_scores=True)[0]))(tokens)
    np.testing.assert_allclose(numpy(result), expected, atol=1e-5)


def test_alibi_by_distance_equals_the_full_bias():
    layer = noisy(MultiHeadAttention(N, 3), random(B, T, D), random(B, S, D))
    x, y = random(B, T, D, seed=1), random(B, S, D, seed=2)
    distances = ALiBi(N)(x, y, query_offset=2)
    full = np.stack([numpy(distances)[0, :, T - 1 - t : T - 1 - t + S] for t in range(T)], 1)[None]
    by_distance = layer(x, y, attention_bias=distances, query_offset=2, use_causal_mask=True)
    in_full = layer(x, y, attention_bias=full, query_offset=2, use_causal_mask=True)
    np.testing.assert_allclose(numpy(by_distance), numpy(in_full), atol=1e-5)


@pytest.mark.parametrize("axes", [(1,), (2,), (2, 1), (1, 2)])
def test_masks_of_images(axes):
    """Padding masks over any axes are those of the flattened sequences."""
    x, v = random(B, 3, 5, D, seed=1), random(B, *(n + (i in axes) for i, n in ((1, 3), (2, 5))), 10, seed=2)
    layer = noisy(MultiHeadAttention(N, 3, attention_axes=axes), x, v)
    rng = np.random.default_rng(0)
    query_mask, value_mask = rng.random(x.shape[:-1]) < 0.7, rng.random(v.shape[:-1]) < 0.7
    _, scores = layer(x, v, query_mask=query_mask, value_mask=value_mask, return_attention_scores=True)
    free = [i for i in (0, 1, 2) if i not in axes]
    q = query_mask.transpose(*free, *axes)
    k = value_mask.transpose(*free, *axes)
    lead = q.shape[: len(free)]
    sees = q.reshape(*lead, 1, -1, 1) & k.reshape(*lead, 1, 1, -1)
    scores = numpy(scores)
    seen = scores.reshape(*lead, N, q[(0,) * len(free)].size, -1) > 0
    np.testing.assert_array_equal(seen, np.broadcast_to(sees, seen.shape))


@pytest.mark.usefixtures("few_objects")
def test_int8_and_lora_survive_the_file(tmp_path):
    layer = MultiHeadAttention(N, 3, use_gate=True)
    x = random(B, T, D)
    model = keras.Sequential([keras.Input((None, D)), layer])
    layer.enable_lora(2)
    for w in layer.trainable_variables:
        w.assign(random(*w.shape, seed=1))
    trainable = len(layer.trainable_variables)
    assert trainable == 5 * 3, "a, b and the bias of each projection"
    adapted = numpy(model(x))
    model.save(tmp_path / "lora.keras")
    twin = keras.models.load_model(tmp_path / "lora.keras")
    np.testing.assert_allclose(numpy(twin(x)), adapted, rtol=1e-4, atol=1e-4)
    assert len(twin.trainable_variables) == trainable
    plain = keras.Sequential([keras.Input((None, D)), noisy(MultiHeadAttention(N, 3), x)])
    exact = numpy(plain(x))
    plain.layers[0].quantize("int8")
    rounded = numpy(plain(x))
    assert 0 < np.abs(rounded - exact).max() < 0.1 * np.abs(exact).max()
    plain.save(tmp_path / "int8.keras")
    np.testing.assert_allclose(numpy(keras.models.load_model(tmp_path / "int8.keras")(x)), rounded, atol=1e-5)


@pytest.mark.parametrize(
    "init, received",
    [
        ({"num_heads": 0}, "num_heads=0"),
        ({"key_dim": 2.5}, "key_dim=2.5"),
        ({"value_dim": -1}, "value_dim=-1"),
        ({"num_key_value_heads": 3}, "num_key_value_heads=3"),
        ({"sliding_window": 0}, "sliding_window=0"),
        ({"dropout": 1.5}, "dropout=1.5"),
        ({"attention_axes": "all"}, "attention_axes='all'"),
        ({"output_shape": "wide"}, "output_shape='wide'"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(init, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        MultiHeadAttention(**{"num_heads": N, "key_dim": 3, **init})


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(
    "call, message",
    [
        ({"attention_mask": (B, S)}, "`value_mask`.*Received: attention_mask.shape=.2, 7."),
        ({"attention_mask": (B, T, T)}, "Received: attention_mask.shape=.2, 5, 5."),
        ({"attention_mask": (B, 3, T, S)}, "Received: attention_mask.shape=.2, 3, 5, 7."),
        ({"query_mask": (B, S)}, "`query_mask` must have the shape of the queries.*Received: query_mask.shape=.2, 7."),
        ({"value_mask": (B, T)}, "`value_mask` must have the shape of the keys.*Received: value_mask.shape=.2, 5."),
        ({"key_mask": (B, 1, S)}, "Received: key_mask.shape=.2, 1, 7."),
    ],
    ids=str,
)
def test_wrong_masks_are_refused_by_name(call, message, symbolic):
    layer = MultiHeadAttention(N, 3)
    tensor = (lambda *shape, dtype: keras.Input(batch_shape=shape, dtype=dtype)) if symbolic else np.ones
    call = {
        name: tensor(shape, dtype="bool") if not symbolic else tensor(*shape, dtype="bool")
        for name, shape in call.items()
    }
    x, y = (random(B, T, D), random(B, S, D)) if not symbolic else (keras.Input((T, D), B), keras.Input((S, D), B))
    with pytest.raises(ValueError, match=message):
        layer(x, y, **call)


@pytest.mark.parametrize(
    "inputs, call, message",
    [
        (((B, T, D), (B, S, D), (B, T, D)), {}, "lengths .* of `value` and `key` must be equal"),
        (((B, T, D), (3, S, D)), {}, "`query` and `value` that are not attended must be equal"),
        (((B, T, D), (B, 6, S, D)), {}, "ranks of `query`, `value` and `key` must be equal"),
        (((B, D),), {}, "`query` must be .B, T, D."),
        (((B, T, D), (B, S, D)), {"attention_bias": (N, T, S)}, "Received: attention_bias.shape"),
        (((B, T, D), (B, S, D)), {"attention_bias": (1, N, T + S)}, "T.S-1.*11.*Received: attention_bias.shape"),
        (((B, T, D),), {"cache_index": 0}, "`cache` and `cache_index` go together"),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused_by_name(inputs, call, message):
    call = {name: random(*v) if isinstance(v, tuple) else v for name, v in call.items()}
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(N, 3)(*(random(*shape) for shape in inputs), **call)


def test_a_boolean_bias_is_refused():
    with pytest.raises(ValueError, match="attention_mask"):
        MultiHeadAttention(N, 3)(random(B, T, D), attention_bias=np.ones((B, N, T, T), bool))


def test_attention_axes_between_batch_and_features():
    with pytest.raises(ValueError, match="attention_axes=.2,."):
        MultiHeadAttention(N, 3, attention_axes=2)(random(B, T, D))


def test_padding_hidden_by_the_attention_mask_does_not_leak():
    layer = noisy(MultiHeadAttention(N, 3), random(B, T, D))
    x = random(B, T, D, seed=1)
    mask = np.ones((B, 1, T), bool)
    mask[:, :, 3:] = False
    clean = numpy(layer(x, attention_mask=mask))[:, :3]
    x[:, 3:] = np.nan
    np.testing.assert_allclose(numpy(layer(x, x[:, :], attention_mask=mask & mask.transpose(0, 2, 1)))[:, :3], clean)


@pytest.mark.parametrize("init", [{}, {"num_key_value_heads": 2, "use_gate": True}, {"flash_attention": True}], ids=str)
def test_large_logits_give_no_nan_in_half_precision(init):
    layer = MultiHeadAttention(N, 64, dtype="mixed_float16", **init)
    x = 40 * np.ones((1, T, D), "float32")
    layer(x)
    for w in layer.trainable_variables:
        w.assign(np.full(w.shape, 0.1))
    mask = np.zeros((1, T, T), bool)
    mask[:, 1:, :2] = True
    output = numpy(layer(x, attention_mask=mask))
    assert np.isfinite(output).all()
    np.testing.assert_allclose(output[:, 0], 0.1, atol=1e-3)  # fully masked: only the bias of the output
