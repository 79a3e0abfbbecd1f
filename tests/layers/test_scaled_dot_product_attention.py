import keras
import numpy as np
import pytest

from keras_attention.layers import ALiBi, ScaledDotProductAttention
from tests.layers.helpers import numpy, random
from tests.reference import multi_head_attention as reference

B, T, S, N, H, V = 2, 5, 7, 4, 3, 6


@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [N, 2, 1])
def test_is_equation_1_for_each_head(heads, causal, scale):
    query, key, value = random(B, T, N, H), random(B, S, heads, H, seed=1), random(B, S, heads, V, seed=2)
    mask = np.random.default_rng(3).random((B, N, T, S)) < 0.6
    mask[0, 0, 0] = False
    sees = mask & (np.arange(S) <= np.arange(T)[:, None] + 2 if causal else True)
    bias = random(B, N, T, S, seed=4)
    context, scores = ScaledDotProductAttention(scale)(
        query,
        value,
        key,
        attention_mask=mask,
        attention_bias=bias,
        use_causal_mask=causal,
        query_offset=2,
        return_attention_scores=True,
    )
    for b, n in np.ndindex(B, N):
        k = n // (N // heads)
        expected = reference.attention(query[b, :, n], key[b, :, k], value[b, :, k], sees[b, n], scale, bias[b, n])
        np.testing.assert_allclose(numpy(context)[b, :, n], expected[0], atol=1e-5)
        np.testing.assert_allclose(numpy(scores)[b, n], expected[1], atol=1e-5)


def test_one_head_needs_no_axis_of_heads():
    query, key, value = random(B, T, H), random(B, S, H, seed=1), random(B, S, V, seed=2)
    context, scores = ScaledDotProductAttention()(query, value, key, return_attention_scores=True)
    four = ScaledDotProductAttention()(query[:, :, None], value[:, :, None], key[:, :, None])
    np.testing.assert_allclose(numpy(context), numpy(four)[:, :, 0], atol=1e-6)
    assert tuple(scores.shape) == (B, 1, T, S)


def test_one_tensor_and_its_keras_mask():
    tokens = np.array([[3, 1, 4, 0, 0], [1, 5, 9, 2, 6]])
    x = keras.layers.Embedding(10, H, mask_zero=True)(tokens)
    context, scores = ScaledDotProductAttention()(x, return_attention_scores=True)
    assert not numpy(scores)[0, ..., 3:].any() and not numpy(context)[0, 3:].any()
    np.testing.assert_allclose(numpy(scores).sum(-1)[1], 1, atol=1e-5)


def test_bias_by_distance():
    x = random(B, T, N, H)
    bias = ALiBi(N)(x)
    full = np.stack([numpy(bias)[0, :, T - 1 - t : 2 * T - 1 - t] for t in range(T)], 1)[None]
    layer = ScaledDotProductAttention()
    by_distance = layer(x, attention_bias=bias, use_causal_mask=True)
    np.testing.assert_allclose(
        numpy(by_distance), numpy(layer(x, attention_bias=full, use_causal_mask=True)), atol=1e-5
    )


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((B, T), (B, T), (B, T)), "`query` must be .B, T, H. or .B, T, N, H."),
        (((B, T, H), (B, S, V), (B, T, H)), "`value` and `key` must be equal"),
        (((B, T, H), (B, S, V), (B, S, 4)), "equal sizes"),
        (((B, T, H), (B, S, 1, V), (B, S, 1, H)), "the same rank"),
        (((B, T, N, H), (B, S, 3, V), (B, S, 3, H)), "multiple"),
        (((B, T, N, H), (B, S, 2, V), (B, S, 4, H)), "multiple"),
    ],
    ids=str,
)
def test_wrong_shapes_are_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        ScaledDotProductAttention()(*(random(*shape) for shape in shapes))
    with pytest.raises(ValueError, match=message):
        ScaledDotProductAttention()(*(keras.Input(batch_shape=shape) for shape in shapes))


def test_unknown_heads_are_refused():
    with pytest.raises(ValueError, match="heads of `query`, `value` and `key` must be known. Received: query.shape="):
        ScaledDotProductAttention()(keras.Input((T, None, H)))


@pytest.mark.parametrize("init", [{"scale": "big"}, {"dropout": 1.0}, {"dropout": -0.1}], ids=str)
def test_wrong_arguments_are_refused(init):
    with pytest.raises(ValueError, match=f"Received: {next(iter(init))}="):
        ScaledDotProductAttention(**init)
