"""BahdanauMonotonicAttention against an enumeration of all alignments, and its own steps."""

import numpy as np
import pytest

from keras_attention.layers import BahdanauMonotonicAttention
from tests.layers.helpers import numpy
from tests.layers.memory import KEY, MASK, QUERY, VALUE, check_steps, fill
from tests.reference import memory_attention as reference


def energies(weights):
    vector = weights["vector"]
    if "scale" in weights:
        vector = vector * weights["scale"] / np.linalg.norm(vector)
    query = QUERY @ weights["query/kernel"] + weights.get("bias", 0.0)
    return reference.additive(query, KEY @ weights["key/kernel"], vector) + weights["energy_bias"]


@pytest.mark.parametrize(
    ("mode", "normalize"), [("recursive", False), ("recursive", True), ("parallel", False), ("hard", True)]
)
def test_is_the_equation_and_steps_equal_the_call(mode, normalize):
    layer = BahdanauMonotonicAttention(8, mode=mode, normalize=normalize)
    weights = fill(layer)
    choose = energies(weights)
    choose = (choose > 0) * 1.0 if mode == "hard" else reference.sigmoid(choose)
    probs = np.stack([reference.monotonic(c * m) for c, m in zip(choose, MASK, strict=True)])
    context, scores = layer(QUERY, VALUE, KEY, value_mask=MASK, return_attention_scores=True)
    np.testing.assert_allclose(numpy(scores), probs, atol=1e-5)
    np.testing.assert_allclose(numpy(context), reference.context(probs, VALUE), atol=1e-5)
    check_steps(layer, value_mask=MASK)


def test_hard_attention_never_moves_backward():
    layer = BahdanauMonotonicAttention(8, mode="hard")
    fill(layer)
    _, scores = layer(QUERY, VALUE, KEY, return_attention_scores=True)
    positions = [row.argmax() for row in numpy(scores)[0] if row.any()]
    assert positions == sorted(positions)


@pytest.mark.parametrize("mode", ["recursive", "parallel"])
def test_a_fully_masked_query_does_not_move_attention(mode):
    layer = BahdanauMonotonicAttention(8, mode=mode)
    fill(layer)
    cut = numpy(layer(np.delete(QUERY, 2, axis=1), VALUE, KEY))
    for masks in ({"query_mask": np.arange(5)[None] != 2}, {"attention_mask": np.arange(5)[:, None] != np.full(7, 2)}):
        masks = {k: np.broadcast_to(m, (2, 5)) if k == "query_mask" else m for k, m in masks.items()}
        context, scores = layer(QUERY, VALUE, KEY, return_attention_scores=True, **masks)
        assert not numpy(context)[:, 2].any() and not numpy(scores)[:, 2].any()
        np.testing.assert_allclose(np.delete(numpy(context), 2, axis=1), cut, atol=1e-5)


def test_noise_is_for_training_only_and_repeatable_by_seed():
    plain, one, two = (BahdanauMonotonicAttention(8, sigmoid_noise=n, seed=4) for n in (0.0, 0.5, 0.5))
    for layer in (plain, one, two):
        fill(layer)
    expected = numpy(plain(QUERY, VALUE, KEY, training=True))
    np.testing.assert_allclose(numpy(one(QUERY, VALUE, KEY)), expected, atol=1e-6)
    numpy(two(QUERY, VALUE, KEY))
    noisy = numpy(one(QUERY, VALUE, KEY, training=True))
    np.testing.assert_allclose(noisy, numpy(two(QUERY, VALUE, KEY, training=True)), atol=1e-6)
    assert np.abs(noisy - expected).max() > 1e-3
    assert np.abs(noisy - numpy(one(QUERY, VALUE, KEY, training=True))).max() > 1e-3


def test_score_bias_init_is_the_initial_energy_bias():
    layer = BahdanauMonotonicAttention(8, score_bias_init=-4.0)
    layer.build(QUERY.shape, VALUE.shape)
    assert numpy(layer.energy_bias) == -4.0


def test_bad_arguments_by_name():
    for name, init in {
        "`units`": {"units": 0},
        "`mode`": {"units": 8, "mode": "soft"},
        "`sigmoid_noise`": {"units": 8, "sigmoid_noise": -1},
    }.items():
        with pytest.raises(ValueError, match=name):
            BahdanauMonotonicAttention(**init)
    layer = BahdanauMonotonicAttention(8)
    with pytest.raises(ValueError, match="not yet set up"):
        layer.step(QUERY[:, 0], {}, {})
