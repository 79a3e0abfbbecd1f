import itertools
import math
import sys

import numpy as np
import pytest

from keras_attention import models
from keras_attention.visualize import attention_scores, flow, head_entropy, mean_distance, rollout

B, N, T, S = 2, 3, 6, 5


def random_scores(*shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1])


def looped_rollout(layers, residual):
    """The paper's equation for one sample, a sum over all paths: position by position and layer by layer."""
    T = layers[0].shape[-1]
    total = [[float(t == s) for s in range(T)] for t in range(T)]
    for layer in layers:
        below, total = total, [[0.0] * T for _ in range(T)]
        for t in range(T):
            row = [(1 - residual) * sum(head[t][s] for head in layer) / len(layer) for s in range(T)]
            row[t] += residual
            for middle in range(T):
                for s in range(T):
                    total[t][s] += row[middle] / sum(row) * below[middle][s]
    return np.array(total)


@pytest.mark.parametrize("residual", [0.5, 0.2])
def test_rollout_is_the_product_of_the_layers(residual):
    layers = [random_scores(B, heads, T, T, seed=heads) for heads in (3, 4, 1)]
    layers[1][:, :, 2] = 0  # a query without a visible key
    found = rollout(layers, residual=residual)
    for b in range(B):
        np.testing.assert_allclose(found[b], looped_rollout([layer[b] for layer in layers], residual), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=-1), 1)
    np.testing.assert_allclose(rollout([layer[1] for layer in layers], residual=residual), found[1], rtol=1e-12)


def test_rollout_of_an_encoder_gives_padding_no_part():
    model = models.VisionTransformer(
        (8, 12), 4, num_layers=3, model_dim=8, num_heads=2, intermediate_dim=16, num_classes=4, input_channels=1
    )
    scores = attention_scores(model, np.random.default_rng(0).random((2, 8, 12, 1), "float32"))
    found = rollout(scores)
    assert found.shape == (2, 7, 7)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)
    for layer in scores.values():
        layer[..., 5:] = 0
    assert (rollout(scores)[:, :5, 5:] == 0).all()


def smallest_cut(layers, t, s, residual):
    """The maximum flow from output t to input s by another theorem: the smallest of all cuts between them."""
    L, T = len(layers), layers[0].shape[-1]
    capacity = {}
    for number, layer in enumerate(layers):
        for i in range(T):
            row = [(1 - residual) * sum(head[i][j] for head in layer) / len(layer) for j in range(T)]
            row[i] += residual
            for j in range(T):
                capacity[(number + 1, i), (number, j)] = row[j] / sum(row)
    nodes = [(number, i) for number in range(L + 1) for i in range(T)]
    free = [node for node in nodes if node not in ((L, t), (0, s))]
    cuts = []
    for chosen in itertools.product((False, True), repeat=len(free)):
        near = {(L, t), *itertools.compress(free, chosen)}
        cuts.append(sum(c for (a, b), c in capacity.items() if a in near and b not in near))
    return min(cuts)


def test_flow_is_the_smallest_cut():
    layers = [random_scores(B, heads, 3, 3, seed=heads) for heads in (3, 2)]
    found = flow(layers, residual=0.3)
    for b, t, s in [(0, 0, 0), (0, 2, 1), (1, 0, 2), (1, 1, 0)]:
        assert found[b, t, s] == pytest.approx(smallest_cut([layer[b] for layer in layers], t, s, 0.3), abs=1e-8)
    np.testing.assert_array_equal(flow([layer[1] for layer in layers], residual=0.3), found[1])


def test_flow_of_one_layer_is_its_attention():
    [layer] = layers = [random_scores(N, T, T)]
    np.testing.assert_allclose(flow(layers), 0.5 * np.eye(T) + 0.5 * layer.mean(axis=0), atol=1e-9)


def test_flow_without_scipy_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse.csgraph", None)
    with pytest.raises(ImportError, match=r"-m pip .*install 'keras-attention-layers\[visualize\]'"):
        flow([random_scores(N, T, T)])


def looped_mean(scores, query_mask, value):
    """Mean over queries of the sum over keys of value(p, t, s)."""
    B, N, T, _ = scores.shape
    found = np.zeros((B, N))
    for b in range(B):
        for n in range(N):
            rows = []
            for t in range(T):
                row = [float(p) for p in scores[b, n, t]]
                if query_mask[b][t] and sum(row):
                    rows.append(sum(value(p / sum(row), t, s) for s, p in enumerate(row) if p))
            found[b, n] = sum(rows) / len(rows)
    return found


def partly_hidden():
    scores = random_scores(B, N, T, S)
    scores[0, ..., 4:] = 0  # padding of the keys
    scores[1, 1, 3] = 0  # no visible key
    return scores, np.array([[1, 1, 1, 0, 1, 0], [1, 0, 1, 1, 1, 1]])


def test_head_entropy_leaves_out_what_is_hidden():
    scores, mask = partly_hidden()
    expected = looped_mean(scores, mask, lambda p, t, s: -p * math.log(p))
    np.testing.assert_allclose(head_entropy(scores, query_mask=mask), expected, rtol=1e-12)
    np.testing.assert_allclose(head_entropy(scores[1], query_mask=mask[1] > 0), expected[1], rtol=1e-12)
    everything = looped_mean(scores, np.ones((B, T)), lambda p, t, s: -p * math.log(p))
    np.testing.assert_allclose(head_entropy(scores), everything, rtol=1e-12)


def test_head_entropy_of_one_key_and_of_all_keys():
    found = head_entropy(np.stack([np.eye(T), np.full((T, T), 0.2)]))
    np.testing.assert_allclose(found, [0, math.log(T)], atol=1e-12)


def test_mean_distance_in_a_sequence():
    scores, mask = partly_hidden()
    expected = looped_mean(scores, mask, lambda p, t, s: p * abs(t - s))
    np.testing.assert_allclose(mean_distance(scores, query_mask=mask), expected, rtol=1e-12)


def test_mean_distance_on_a_grid():
    scores, mask = random_scores(B, N, T, T), np.ones((B, T))
    expected = looped_mean(scores, mask, lambda p, t, s: p * math.dist(divmod(t, 3), divmod(s, 3)))
    np.testing.assert_allclose(mean_distance(scores, grid=(2, 3)), expected, rtol=1e-12)


def test_heads_without_queries_are_nan():
    scores = random_scores(N, T, S)
    scores[1] = 0
    assert np.isnan(head_entropy(scores)).tolist() == [False, True, False]
    assert np.isnan(mean_distance(scores, query_mask=np.zeros(T, bool))).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rollout([np.ones((N, T, S))]), r"`scores` must be those of self-attention.*Received: shapes \[\(3, 6"),
        (lambda: rollout([np.ones((N, T, T)), np.ones((N, S, S))]), "with one B and one T"),
        (lambda: flow([np.ones((N, T, S))]), "`scores` must be those of self-attention"),
        (lambda: rollout({}), r"Received: shapes \[\]"),
        (lambda: rollout([np.ones((N, T, T))], residual=1.5), "`residual` must be from 0 to 1.*=1.5"),
        (lambda: head_entropy(np.ones((T, S))), r"\[N, T, S\]. Received: scores.shape=\(6, 5\)"),
        (lambda: head_entropy(-np.ones((N, T, S))), "must be probabilities.*minimum of -1.0"),
        (lambda: head_entropy(np.ones((N, T, S)), query_mask=np.ones(S, bool)), r"of shape \(6,\).*shape=\(5,\)"),
        (lambda: head_entropy(np.ones((N, T, S)), query_mask=np.ones(T)), "boolean or integer.*dtype=float64"),
        (lambda: mean_distance(np.ones((N, T, T)), grid=(2, 2)), r"Y \* X == T == S. Received: grid=\(2, 2\), T=6"),
    ],
)
def test_wrong_arguments_raise_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
