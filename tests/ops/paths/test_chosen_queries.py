import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.ops import attend, non_local
from keras_attention.ops.paths.chosen_queries import chosen_dims, require_queries, scores_at

B, T, S, N, K, H, V = 2, 6, 7, 4, 2, 3, 5
QUERIES = [4, -1, 0, 4]
RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.standard_normal(shape).astype("float32")


QUERY, KEY, VALUE = random(B, T, N, H), random(B, S, K, H), random(B, S, K, V)
SOME = RNG.random((B, N, T, S)) < 0.6
GIVEN = {
    "nothing": {},
    "causal": {"causal": True, "query_offset": 1},
    "window": {"causal": True, "window": 2, "query_offset": np.int64(2)},
    "mask of pairs": {"mask": SOME[0, 0]},
    "mask of samples": {"mask": SOME[:, 0], "causal": True},
    "mask of heads": {"mask": SOME, "query_mask": RNG.random((B, T)) < 0.7, "key_mask": RNG.random((B, S)) < 0.7},
    "mask of keys for all queries": {"mask": SOME[:, :, :1], "window": 5},
    "bias": {"bias": random(B, N, T, S), "scale": 0.3},
    "bias of heads": {"bias": random(1, N, 1, S), "logit_cap": 0.8},
    "bias by distance": {"bias": random(1, N, T + S - 1), "window": 4, "sinks": random(N)},
    "dropout": {"dropout": 0.4, "seed": 3},
}


@pytest.mark.parametrize("block_size", [None, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", GIVEN)
def test_scores_of_chosen_queries_are_rows_of_all_scores(name, block_size):
    given = GIVEN[name]
    chosen = {"score_queries": QUERIES, "block_size": block_size}
    context, scores = attend(QUERY, KEY, VALUE, **given, return_scores=True, **chosen)
    whole, expected = attend(QUERY, KEY, VALUE, **given, return_scores=True)
    np.testing.assert_allclose(scores, ops.convert_to_numpy(expected)[:, :, QUERIES], atol=1e-6)
    np.testing.assert_allclose(context, whole, atol=1e-5)
    assert np.ptp(ops.convert_to_numpy(scores), axis=2).max() > 0.1 or name == "mask of keys for all queries"


def test_without_scores_chosen_queries_are_ignored():
    np.testing.assert_array_equal(
        attend(QUERY, KEY, VALUE, score_queries=QUERIES, causal=True), attend(QUERY, KEY, VALUE, causal=True)
    )


@pytest.mark.parametrize("pairwise", ["embedded_gaussian", "dot_product", "concatenation"])
def test_pairwise_functions_of_chosen_queries_are_rows_of_all(pairwise):
    given = {"query_mask": np.arange(T) < [[6], [4]], "key_mask": np.arange(S) > [[1], [3]]}
    given |= {"vector": random(2 * H)} if pairwise == "concatenation" else {}
    tensors = QUERY[:, :, 0], KEY[:, :, 0], VALUE[:, :, 0]
    context, scores = non_local(*tensors, pairwise, **given, return_scores=True, score_queries=QUERIES)
    whole, expected = non_local(*tensors, pairwise, **given, return_scores=True)
    np.testing.assert_allclose(scores, ops.convert_to_numpy(expected)[:, QUERIES], atol=1e-6)
    np.testing.assert_allclose(context, whole, atol=1e-5)


def test_scores_over_several_axes_are_cut_along_the_flattened_queries():
    scores = random(B, 3, 2, 4, 5)
    expected = scores.reshape(B, 6, 4, 5)[:, [5, 1]]
    np.testing.assert_array_equal(scores_at(scores, ops.convert_to_tensor([-1, 1]), 2), expected)
    assert chosen_dims((B, 3, None, 4, 5), [-1, 1], 2) == (B, 2, 4, 5)
    assert chosen_dims((B, T, S), None) == (B, T, S)


@pytest.mark.parametrize(
    "queries", [[], [[1]], [1.0], [True], [T], [-T - 1], "ab", 3, keras.KerasTensor((2,), "float32")]
)
def test_other_queries_raise_errors(queries):
    with pytest.raises(ValueError, match="`score_queries` must be positions of queries.* from -6 to 5. Received"):
        require_queries(queries, (2, 3))
