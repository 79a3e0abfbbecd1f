"""Scores of chosen layers, heads and queries, and the memory that they take."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from keras_attention.visualize import attention_scores

T, S, D, N, H = 5, 7, 8, 3, 4
RNG = np.random.default_rng(0)
X, MEMORY = (RNG.standard_normal((2, n, D)).astype("float32") for n in (T, S))


def noisy(layer):
    for weight in layer.weights:
        weight.assign(RNG.standard_normal(weight.shape))
    return layer


@functools.cache
def blocks(attention):
    """A model with attention of one class in three layers, one of them nested."""
    query, memory = keras.Input((None, D)), keras.Input((None, D))
    inner = keras.Input((None, D))
    y = attention(N, H, name="own")(inner, inner, use_causal_mask=True)
    y = keras.Model(inner, y, name="encoder")(query)
    y = attention(N, H, name="cross")(y, memory)
    return noisy(keras.Model([query, memory], attention(N, H, name="top")(y, y)))


@pytest.mark.parametrize("attention", [keras.layers.MultiHeadAttention, layers.MultiHeadAttention])
def test_chosen_layers_heads_and_queries_are_cut_out_of_all(attention):
    model = blocks(attention)
    whole = attention_scores(model, [X, MEMORY])
    assert list(whole) == ["encoder/own", "cross", "top"]
    heads, queries = [-1, 0, 2], np.array([3, -1, 0, 3])
    found = attention_scores(model, [X, MEMORY], heads=heads, queries=queries)
    for path, scores in whole.items():
        np.testing.assert_allclose(found.pop(path), scores[:, heads][:, :, queries], atol=1e-6)
    assert not found
    for chosen, expected in (("encoder", ["encoder/own"]), (["top", "encoder/own"], ["encoder/own", "top"])):
        found = attention_scores(model, [X, MEMORY], layers=chosen)
        assert list(found) == expected
        for path, scores in found.items():
            # Layers that are not asked for scores may take another path.
            np.testing.assert_allclose(scores, whole[path], atol=1e-5)


def test_only_chosen_layers_are_asked_for_scores_and_only_for_chosen_queries():
    asked = {}

    class Spy(keras.layers.Layer):
        def call(self, x, return_attention_scores=False, score_queries=None):
            asked[self.name] = return_attention_scores, score_queries
            return (x, x) if return_attention_scores else x

    model = keras.Sequential([Spy(name="first"), Spy(name="chosen"), Spy(name="last")])
    assert list(attention_scores(model, X, layers="chosen", queries=[2])) == ["chosen"]
    assert asked == {"first": (False, None), "chosen": (True, [2]), "last": (False, None)}


def test_rows_of_scores_without_heads():
    layer = layers.BahdanauAttention(6, name="look")
    whole = attention_scores(layer, X, value=MEMORY)["look"]
    found = attention_scores(layer, X, value=MEMORY, queries=[-2, 1])["look"]
    np.testing.assert_array_equal(found, whole[:, [-2, 1]])


def test_scores_in_an_image_are_cut_by_head_and_position():
    layer = layers.LocalAttention2D(N, H, query_block=(2, 2), memory_block=(1, 2), name="look")
    image = RNG.standard_normal((2, 4, 6, D)).astype("float32")
    whole = attention_scores(layer, image)["look"]
    found = attention_scores(layer, image, heads=[1], queries=[7, -1])["look"]
    np.testing.assert_allclose(found, whole.reshape(2, N, 24, 4, 6)[:, [1]][:, :, [7, -1]], atol=1e-6)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"layers": "decoder"}, "`layers` must be paths.*Received: 'decoder'; there are: encoder/own, cross, top"),
        ({"layers": ["top", "encoder/o"]}, "Received: 'encoder/o'"),
        ({"heads": [N]}, r"`heads` must be from -N to N - 1.*Received: heads=\[3\].*`encoder/own`"),
        ({"heads": []}, r"`heads` must be a list of one or more ints, or `None`. Received: heads=\[\]"),
        ({"queries": 3}, "`queries` must be a list of one or more ints, or `None`. Received: queries=3"),
        ({"queries": [0.5]}, "`queries` must be a list"),
        ({"queries": [T]}, r"from -5 to 4. Received: score_queries=\[5\]"),
    ],
)
@pytest.mark.parametrize(
    "attention", [pytest.param(keras.layers.MultiHeadAttention, marks=pytest.mark.slow), layers.MultiHeadAttention]
)
def test_what_no_layer_has_raises_an_error(attention, chosen, message):
    with pytest.raises(ValueError, match=message):
        attention_scores(blocks(attention), [X, MEMORY], **chosen)


@pytest.mark.parametrize("chosen", [{"heads": [0]}, {"queries": [0]}])
def test_gates_have_neither_heads_nor_queries(chosen):
    with pytest.raises(ValueError, match="choose `layers`. Received: .*scores of `gate`"):
        attention_scores(layers.SqueezeExcitation(ratio=2, name="gate"), X, **chosen)


def test_a_layer_without_a_call_is_not_read_in_place_of_the_one_around_it():
    """The attention of an `AttentionRNN` attends step by step; the scores are those of the RNN."""
    rnn = layers.AttentionRNN(layers.GatedRecurrentCell(6), layers.BahdanauAttention(4), name="rnn")
    x, memory = keras.Input((None, D)), keras.Input((None, D))
    model = keras.Model([x, memory], rnn(x, memory))
    _, expected = rnn(X, MEMORY, return_attention_scores=True)
    np.testing.assert_allclose(attention_scores(model, [X, MEMORY])["rnn"], ops.convert_to_numpy(expected), atol=1e-6)


@pytest.mark.parametrize("length", [4096, pytest.param(16384, marks=pytest.mark.slow)])
def test_memory_of_a_few_rows_is_linear_in_the_length(length):
    """All scores of the two heads would take 134 MB and 2.1 GB."""
    x = keras.Input((None, 6))
    model = noisy(keras.Model(x, layers.MultiHeadAttention(2, 3, name="look")(x, use_causal_mask=True)))
    values = 0.3 * RNG.standard_normal((1, length, 6)).astype("float32")
    attention_scores(model, values[:, :1200], queries=[0])  # one-time allocations
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = resident("VmRSS")
    scores = attention_scores(model, values, queries=[0, 3000, -1])["look"]
    assert resident("VmHWM") - before < length / 64
    assert scores.shape == (1, 2, 3, length)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-4)
    assert (scores[:, :, 1, 3001:] == 0).all() and (scores[:, :, 1, :3001] > 0).all()


def resident(name):
    """Resident memory of this process in MB: `VmRSS` now, `VmHWM` at its peak."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name))
