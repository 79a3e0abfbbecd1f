"""A subclass may override `_compute_attention`, as with `keras.layers.MultiHeadAttention`."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random

B, T, S, N, D = 2, 5, 7, 4, 12
Keras = keras.layers.MultiHeadAttention


def squared(base):
    """A subclass as written for Keras: attention with squared probabilities."""

    class Squared(base):
        def _compute_attention(
            self, query, key, value, attention_mask=None, training=None, return_attention_scores=False
        ):
            self.seen = {"query": query, "key": key, "value": value, "attention_mask": attention_mask}
            logits = ops.einsum(self._dot_product_equation, key, query) * self._inverse_sqrt_key_dim
            scores = self._masked_softmax(logits, attention_mask) ** 2
            return ops.einsum(self._combine_equation, scores, value), scores

    return Squared


class Delegates(MultiHeadAttention):
    """Calls the method of the base class with the one mask that it receives."""

    def _compute_attention(self, query, key, value, attention_mask=None, training=None, return_attention_scores=False):
        self.heads = key.shape[-2]
        return super()._compute_attention(query, key, value, attention_mask, training, return_attention_scores)


def pair(ours, theirs, init, *inputs):
    """Two layers with equal random weights."""
    first, second = (cls(N, 3, **init) for cls in (theirs, ours))
    noisy(first, *inputs), second(*inputs)
    second.set_weights(first.get_weights())
    return second, first


@pytest.mark.parametrize(
    "init, shapes, call",
    [
        ({}, ((B, T, D), (B, S, 10), (B, S, 8)), {}),
        ({"value_dim": 6, "use_gate": True}, ((B, T, D), (B, T, D)), {"use_causal_mask": True}),
        ({"sliding_window": 2}, ((B, T, D), (B, S, 10)), {"use_causal_mask": True}),
        ({}, ((B, T, D), (B, S, 10)), {"value_mask": (B, S), "attention_mask": (B, T, S)}),
        ({}, ((B, T, D), (B, S, 10)), {"attention_mask": (B, N, T, S)}),
        ({"attention_axes": 2}, ((B, 3, T, D), (B, 3, S, 10)), {"attention_mask": (B, 3, T, S)}),
        ({"attention_axes": (1, 2)}, ((B, 3, T, D), (B, 2, S, 10)), {}),
    ],
    ids=str,
)
def test_a_subclass_written_for_keras_gives_the_same(init, shapes, call):
    if not set(init) <= set(inspect.signature(Keras).parameters):
        pytest.skip("this version of Keras has fewer arguments")
    inputs = [random(*shape, seed=i) for i, shape in enumerate(shapes)]
    ours, theirs = pair(squared(MultiHeadAttention), squared(Keras), init, *inputs)
    rng = np.random.default_rng(8)
    call = {name: rng.random(value) < 0.8 if isinstance(value, tuple) else value for name, value in call.items()}
    for value in call.values():
        if value is not True:
            value[..., 0] = True  # Keras does not return zeros for fully masked queries
    results = [layer(*inputs, return_attention_scores=True, **call) for layer in (ours, theirs)]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(numpy(a), numpy(b), atol=1e-5)
    np.testing.assert_allclose(numpy(ours(*inputs, **call)), numpy(results[1][0]), atol=1e-5)
    real = call["value_mask"][..., None, None] if "value_mask" in call else True
    for name in ("query", "key", "value"):  # padding is zeroed before the projections, which Keras does not do
        here = True if name == "query" else real
        np.testing.assert_allclose(numpy(ours.seen[name]) * here, numpy(theirs.seen[name]) * here, atol=1e-5)
    masks = [layer.seen["attention_mask"] for layer in (ours, theirs)]
    assert (masks[0] is None) == (masks[1] is None)
    if masks[0] is not None:
        shape = np.broadcast_shapes(*(tuple(mask.shape) for mask in masks))
        np.testing.assert_array_equal(*(np.broadcast_to(numpy(mask), shape) for mask in masks))


PADDING = {"query_mask": np.arange(T) < np.array([[3], [T]]), "value_mask": np.arange(S) < np.array([[S], [4]])}


@pytest.mark.parametrize(
    "init, call",
    [
        ({}, {**PADDING, "use_causal_mask": True, "query_offset": 2}),
        ({"sliding_window": 3}, {"query_offset": -1, "use_causal_mask": True}),
        ({"num_key_value_heads": 2, "use_gate": True}, {"key_mask": PADDING["value_mask"]}),
        ({}, {"attention_mask": np.arange(S) < np.arange(T)[:, None]}),
    ],
    ids=["padding", "window", "grouped", "rows-that-see-nothing"],
)
def test_the_attention_mask_combines_all_masks_of_the_call(init, call):
    inputs = random(B, T, D), random(B, S, 10, seed=1)
    ours, plain = pair(Delegates, MultiHeadAttention, init, *inputs)
    for result, expected in zip(
        ours(*inputs, return_attention_scores=True, **call), plain(*inputs, return_attention_scores=True, **call)
    ):
        np.testing.assert_allclose(numpy(result), numpy(expected), atol=1e-5)
    assert ours.heads == N


def test_decoding_with_a_cache_calls_the_override():
    x = random(B, T, D)
    ours, plain = pair(Delegates, MultiHeadAttention, {"sliding_window": 3}, x)
    cache, steps = ours.make_cache(B, T), []
    for i in range(T):
        step, cache = ours(x[:, i : i + 1], cache=cache, cache_index=i)
        steps.append(numpy(step))
    np.testing.assert_allclose(np.concatenate(steps, 1), numpy(plain(x, use_causal_mask=True)), atol=1e-5)


def test_a_bias_is_passed_by_name_or_refused():
    class Biased(MultiHeadAttention):
        def _compute_attention(self, query, key, value, *args, attention_bias=None):
            return value + ops.sum(attention_bias), None

    x, bias = random(B, T, D), np.full((1, N, T, T), 0.5, "float32")
    layer = Biased(N, 3, use_bias=False)
    layer.build(x.shape)
    shift = numpy(layer(x, attention_bias=bias)) - numpy(layer(x, attention_bias=0 * bias))
    expected = 0.5 * N * T * T * numpy(layer.output_dense.kernel).sum((0, 1))
    np.testing.assert_allclose(shift, np.broadcast_to(expected, shift.shape), rtol=1e-4)
    with pytest.raises(TypeError, match="attention_bias"):
        Delegates(N, 3)(x, attention_bias=bias)


def test_compute_attention_combines_attention_mask_and_causality():
    layer = MultiHeadAttention(N, 3, sliding_window=2)
    layer.build((B, T, D))
    query, key, value = (random(B, T, N, 3, seed=i) for i in range(3))
    mask = np.random.default_rng(4).random((B, T, T)) < 0.7
    mask[:, :, 0] = True
    logits = np.einsum("btnh,bsnh->bnts", query, key) / np.sqrt(3)
    weights = np.exp(logits) * (mask & np.tril(np.ones((T, T), bool)))[:, None]
    expected = weights / weights.sum(-1, keepdims=True)
    context = np.einsum("bnts,bsnh->btnh", expected, value)
    for with_scores in (False, True):
        result, scores = layer._compute_attention(
            query, key, value, attention_mask=mask, use_causal_mask=True, return_attention_scores=with_scores
        )
        np.testing.assert_allclose(numpy(result), context, atol=1e-5)
        assert scores is None if not with_scores else np.allclose(numpy(scores), expected, atol=1e-5)


def test_unknown_sizes_in_a_graph():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has graphs with unknown dimensions")
    import tensorflow as tf

    ours, plain = pair(Delegates, MultiHeadAttention, {"sliding_window": 3}, random(B, T, D), random(B, S, D))
    call = {"use_causal_mask": True, "return_attention_scores": True}
    shapes = [tf.TensorSpec((None, None, D)), tf.TensorSpec((None, None), "bool"), tf.TensorSpec((None, None, D))]
    graph = tf.function(lambda x, m, y: ours(x, y, query_mask=m, **call), input_signature=shapes, autograph=False)
    for batch, length in ((B, T), (1, 1), (3, 9)):
        x, y = random(batch, length, D), random(batch, S, D, seed=1)
        mask = np.arange(length) < np.arange(1, batch + 1)[:, None]
        for a, b in zip(graph(x, mask, y), plain(x, y, query_mask=mask, **call)):
            np.testing.assert_allclose(numpy(a), numpy(b), atol=1e-5)


def test_private_attributes_have_keras_names():
    init = {"value_dim": 6, "dropout": 0.1, "attention_axes": (2,)}
    inputs = random(B, 3, T, D), random(B, 3, S, 10)
    ours, theirs = pair(MultiHeadAttention, Keras, init, *inputs)
    for name in ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "attention_axes", "inverse_sqrt_key_dim"):
        assert getattr(ours, f"_{name}") == getattr(theirs, f"_{name}"), name
    for name in ("query", "key", "value", "output"):
        assert getattr(ours, f"_{name}_dense").name == getattr(theirs, f"_{name}_dense").name
    gated = MultiHeadAttention(N, 3, use_gate=True, sliding_window=4, flash_attention=False)
    assert (gated._use_gate, gated._sliding_window, gated._flash_attention) == (True, 4, False)
