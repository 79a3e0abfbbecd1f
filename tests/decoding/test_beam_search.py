import numpy as np
import pytest
from keras import ops

from keras_attention import decoding
from tests.decoding import toy
from tests.reference import decoding as reference


def search(path, table, L, end, **options):
    def decode(table, start):
        return decoding.beam_search(toy.step, toy.new_cache(table, L), start, L, end, **options)

    return toy.run(path, decode, table, toy.start_tokens(table))


def test_length_penalty_goldens():
    goldens = {1: 1.0, 7: 1.515717, 10: 1.732862, 25: 2.626528}
    found = ops.convert_to_numpy(decoding.length_penalty(np.array(list(goldens)), alpha=0.6))
    np.testing.assert_allclose(found, list(goldens.values()), rtol=1e-6)


@pytest.mark.parametrize("alpha, V, L", [(0.0, 3, 3), (0.6, 2, 4), (1.0, 3, 3), (3.0, 3, 3), (3.0, 2, 4)])
def test_a_beam_of_all_sequences_equals_exhaustive_search(alpha, V, L):
    end = V - 1
    table = toy.tables(9, V, L)
    tokens, scores = search("eager", table, L, end, beam_size=V**L, alpha=alpha)
    for row, found, score in zip(table, tokens[:, 0], scores[:, 0]):
        best, best_score = reference.exhaustive(row, L, end, alpha)
        assert found.tolist() == toy.padded(best, L)
        np.testing.assert_allclose(score, best_score, rtol=1e-5)


def test_alpha_changes_the_best_sequence():
    """Otherwise the exhaustive test would not depend on alpha."""
    table = toy.tables(9, 3, 3)
    assert any(reference.exhaustive(t, 3, 2, 0.0)[0] != reference.exhaustive(t, 3, 2, 3.0)[0] for t in table)


@pytest.mark.parametrize(
    "path, K, alpha, stop_early",
    [("eager", 2, 0.0, True), ("eager", 4, 1.5, False), (toy.PATHS[-1], 3, 0.6, True)],
)
def test_matches_the_published_algorithm(path, K, alpha, stop_early):
    """Eagerly and compiled; test_serving.py compares a graph with the eager search."""
    V, L, end = 5, 4, 3
    table = toy.tables(13, V, L, seed=K)
    tokens, scores = search(path, table, L, end, beam_size=K, alpha=alpha, stop_early=stop_early)
    assert tokens.dtype == "int32" and scores.dtype == "float32"
    for row, found, found_scores in zip(table, tokens, scores):
        expected = reference.beam_search(row, L, end, K, alpha, stop_early)
        n = len(expected)
        assert found[:n].tolist() == [toy.padded(s, L) for s, _ in expected]
        np.testing.assert_allclose(found_scores[:n], [score for _, score in expected], rtol=1e-5)
        assert (found_scores[n:] == -np.inf).all() and (found[n:] == 0).all(), "empty slots are padded"


def test_beam_of_one_is_greedy():
    V, L, end = 4, 5, 1
    table = toy.tables(60, V, L, scale=0.7)
    tokens, _ = search("eager", table, L, end, beam_size=1, alpha=0.0)
    for row, found in zip(table, tokens[:, 0]):
        assert found.tolist() == toy.padded(reference.greedy(row, L, end), L)


def test_length_penalty_includes_the_end_token():
    # After one token: ends with probability 0.6, else ends after the next.
    log = np.log(np.maximum([[0.6, 0.4, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]], 1e-30)).astype("float32")
    tokens, scores = search("eager", log[None], 2, 0, beam_size=2, alpha=1.0, stop_early=False)
    assert tokens[0].tolist() == [[0, 0], [1, 0]]
    np.testing.assert_allclose(scores[0], [np.log(0.6) / (6 / 6), np.log(0.4) / (7 / 6)], rtol=1e-5)


def test_beam_has_no_duplicates():
    V, L, end, K = 5, 3, 4, 6
    tokens, scores = search("eager", np.zeros_like(toy.tables(2, V, L)), L, end, beam_size=K, stop_early=False)
    for row, row_scores in zip(tokens, scores):
        found = [tuple(s) for s, score in zip(row.tolist(), row_scores) if score > -np.inf]
        assert len(set(found)) == len(found) > 1


def test_open_sequences_are_returned_with_penalised_scores_if_none_ends():
    V, L, end = 7, 3, 2
    table = toy.tables(3, V, L)
    table[2, 0, end] = 9
    table[:2, :, end] = -1e4  # the first two rows cannot end
    tokens, scores = search("eager", table, L, end, beam_size=2, alpha=0.9)
    for row, found, found_scores in list(zip(table, tokens, scores))[:2]:
        expected = reference.beam_search(row, L, end, 2, 0.9)
        assert found.tolist() == [list(s) for s, _ in expected]
        np.testing.assert_allclose(found_scores, [score for _, score in expected], rtol=1e-5)
    assert (tokens[2] == end).any()


def test_a_row_does_not_depend_on_the_rest_of_the_batch():
    V, L, end = 5, 4, 3
    table = toy.tables(12, V, L)
    tokens, scores = search("eager", table, L, end, beam_size=4)
    for i in (0, 5, 11):
        alone, alone_scores = search("eager", table[i : i + 1], L, end, beam_size=4)
        np.testing.assert_array_equal(alone[0], tokens[i])
        np.testing.assert_allclose(alone_scores[0], scores[i], rtol=1e-6)


def test_cache_may_be_any_nest():
    V, L, end = 4, 4, 3
    table = toy.tables(3, V, L)

    def step(tokens, cache, index):
        (table, [prefix]), unused = cache
        logits, new = toy.step(tokens, {"table": table, "prefix": prefix}, index)
        return logits, ((new["table"], [new["prefix"]]), unused)

    cache = toy.new_cache(table, L)
    cache = ((cache["table"], [cache["prefix"]]), np.zeros((3, 2, 0, 5), "float32"))
    tokens, _ = decoding.beam_search(step, cache, [0, 0, 0], L, end)
    plain = search("eager", table, L, end)
    np.testing.assert_array_equal(ops.convert_to_numpy(tokens), plain[0])


@pytest.mark.skipif("jit" in toy.PATHS, reason="a traced loop does not call Python")
def test_a_leaf_that_only_some_steps_change_is_moved_with_the_beam():
    B, V, L = 3, 5, 6
    table = ops.convert_to_tensor(np.random.default_rng(1).normal(0, 2, (V, V, V)).astype("float32"))

    def step(tokens, cache, index):
        """The leaf holds the token of the last odd position; it is returned as it came at even positions."""
        logits = ops.reshape(ops.take(ops.reshape(table, (V * V, V)), tokens * V + cache[0], axis=0), (-1, V))
        return logits, (tokens if int(index) % 2 else cache[0],)

    def copied(tokens, cache, index):
        logits, cache = step(tokens, cache, index)
        return logits, (ops.where(cache[0] >= 0, cache[0], 7),)

    given = (np.arange(B, dtype="int32"),), [0, 1, 2], L, None
    found, expected = (decoding.beam_search(f, *given, beam_size=3) for f in (step, copied))
    np.testing.assert_array_equal(ops.convert_to_numpy(found[0]), ops.convert_to_numpy(expected[0]))


@pytest.mark.skipif("jit" in toy.PATHS, reason="a traced loop does not call Python")
@pytest.mark.parametrize("lengths, steps", [([2, 4, 3], 4), ([1, 1, 1], 1), ([99, 1, 1], 8)])
def test_stops_when_the_best_sequence_of_every_row_is_final(lengths, steps):
    calls = []
    decoding.beam_search(toy.counting(calls), np.array(lengths), np.zeros(3, "int32"), 8, 1, beam_size=2)
    assert calls == list(range(steps))


@pytest.mark.parametrize(
    "bad",
    [
        {"beam_size": 0},
        {"beam_size": 1.5},
        {"alpha": -0.1},
        {"alpha": float("nan")},
        {"alpha": None},
        {"alpha": True},
        {"stop_early": "no"},
    ],
    ids=str,
)
def test_invalid_options_raise_errors(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        search("eager", toy.tables(1, 3, 2), 2, 1, **bad)


def test_length_penalty_requires_a_non_negative_alpha():
    for alpha in (-0.6, float("nan"), "0.6"):
        with pytest.raises(ValueError, match="`alpha` must be a finite number of at least 0. Received: alpha="):
            decoding.length_penalty(3, alpha)
