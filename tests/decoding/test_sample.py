import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import decoding
from tests.decoding import toy
from tests.reference import decoding as reference

PROBS = np.array([0.05, 0.3, 0.02, 0.4, 0.13, 0.1])
OPTIONS = [
    {},
    {"temperature": 0.5},
    {"temperature": 1.7},
    {"top_k": 3},
    {"top_k": 99, "top_p": 1.0},
    {"top_p": 0.75},
    {"top_p": 0.2},
    {"temperature": 1.5, "top_k": 4, "top_p": 0.8},
]


def same_every_time(tokens, cache, index):
    return ops.zeros_like(tokens[:, None], dtype="float32") + np.log(PROBS).astype("float32"), cache


def draw(B, L=2, **options):
    tokens = decoding.sample(same_every_time, (), np.zeros(B, "int32"), L, None, **options)
    return ops.convert_to_numpy(tokens)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_frequencies_of_token_pairs_match_the_distribution(options):
    tokens = draw(20_000, seed=3, **options)
    expected = reference.kept(PROBS, **options)
    # Pairs, not tokens: noise used twice would leave the frequency of each alone.
    expected = np.outer(expected, expected).ravel()
    counts = np.bincount(tokens[:, 0] * 6 + tokens[:, 1], minlength=36)
    assert counts[expected == 0].sum() == 0, "truncated tokens are never sampled"
    seen = expected > 0
    chi_square = ((counts - len(tokens) * expected)[seen] ** 2 / (len(tokens) * expected[seen])).sum()
    freedom = seen.sum() - 1
    assert chi_square <= freedom + 4 * np.sqrt(2 * freedom)


def test_bound_on_the_frequencies_detects_a_wrong_temperature():
    wrong = reference.kept(PROBS, temperature=1.1)
    counts = np.bincount(draw(20_000, seed=3)[:, 0], minlength=6)
    assert ((counts - 20_000 * wrong) ** 2 / (20_000 * wrong)).sum() > 5 + 4 * np.sqrt(10)


def test_same_seed_gives_the_same_sample():
    V, L, end = 4, 5, 2
    table = toy.tables(50, V, L, scale=0.5)

    def decode(seed):
        def run(table, start):
            cache = toy.new_cache(table, L)
            return decoding.sample(toy.step, cache, start, L, end, top_k=3, top_p=0.95, seed=seed)

        return run

    first, again, other = (toy.run("eager", decode(s), table, toy.start_tokens(table)) for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    ended = np.cumsum(first == end, axis=1) - (first == end) > 0
    assert ended.any() and (first[ended] == 0).all()
    assert first.dtype == "int32"
    for path in toy.PATHS[1:]:
        compiled = toy.run(path, decode(5), table, toy.start_tokens(table))
        assert (compiled == first).mean() > 0.99  # the order of a sum may change on which side of the noise it falls


@pytest.mark.parametrize("path", toy.PATHS)
def test_a_tensor_is_a_seed(path):
    """So that a served function takes it as an input."""
    V, L, end = 4, 5, 2
    table = toy.tables(50, V, L, scale=0.5)

    def decode(table, start, seed):
        return decoding.sample(toy.step, toy.new_cache(table, L), start, L, end, seed=seed[0])

    arguments = table, toy.start_tokens(table)
    first, again, other = (toy.run(path, decode, *arguments, np.array([seed], "int32")) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("path", toy.PATHS)
def test_a_row_with_a_seed_does_not_depend_on_the_batch(path):
    V, L, end = 4, 5, 2
    table, seeds = toy.tables(6, V, L, scale=0.5), np.array([5, 8, 5, 13, 21, 34], "int32")
    table[2] = table[0]

    def decode(table, start, seeds):
        return decoding.sample(toy.step, toy.new_cache(table, L), start, L, end, seed=seeds)

    rows = toy.run(path, decode, table, toy.start_tokens(table), seeds)
    np.testing.assert_array_equal(rows[0], rows[2])
    assert len({tuple(row) for row in rows}) > 2
    fewer = toy.run(path, decode, table[3:], toy.start_tokens(table[3:]), seeds[3:])
    np.testing.assert_array_equal(rows[3:], fewer)
    none = toy.run(path, decode, table[:0], toy.start_tokens(table[:0]), seeds[:0])
    assert none.shape == (0, L)


def test_seed_generator_gives_a_new_sample_at_every_call():
    seed = keras.random.SeedGenerator(7)
    assert (draw(50, seed=seed) != draw(50, seed=seed)).any()
    assert (draw(50) != draw(50)).any()


def test_low_temperature_and_single_candidates_are_greedy():
    V, L, end = 5, 4, 2
    table = toy.tables(9, V, L) * 1e4
    expected = [toy.padded(reference.greedy(row, L, end), L) for row in table]

    def decode(table, start):
        cache, options = toy.new_cache(table, L), ({"temperature": 1e-30}, {"top_k": 1}, {"top_p": 1e-9})
        return [decoding.sample(toy.step, cache, start, L, end, **o) for o in options]

    for tokens in toy.run("eager", decode, table, toy.start_tokens(table)):
        np.testing.assert_array_equal(tokens, expected)


def test_tokens_of_probability_zero_are_never_sampled():
    def step(tokens, cache, index):
        return ops.zeros_like(tokens[:, None], dtype="float32") + np.float32([-np.inf, 0, -np.inf, 0, -np.inf]), cache

    for options in ({}, {"top_k": 4}, {"top_p": 0.99}):
        tokens = ops.convert_to_numpy(decoding.sample(step, (), np.zeros(3000, "int32"), 2, None, **options))
        assert set(np.unique(tokens)) == {1, 3}


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": 0},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": 0},
        {"top_k": 2.0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"seed": 0.5},
    ],
    ids=str,
)
def test_invalid_options_raise_errors(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        draw(2, **bad)
