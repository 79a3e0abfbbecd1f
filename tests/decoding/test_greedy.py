import numpy as np
import pytest

from keras_attention import decoding
from tests.decoding import toy
from tests.reference import decoding as reference


@pytest.mark.parametrize("path", toy.PATHS)
def test_matches_the_argmax_of_every_prefix(path):
    V, L, end = 4, 5, 2
    table = toy.tables(11, V, L)

    def decode(table, start):
        return decoding.greedy(toy.step, toy.new_cache(table, L), start, L, end)

    expected = [toy.padded(reference.greedy(row, L, end), L) for row in table]
    tokens = toy.run(path, decode, table, toy.start_tokens(table))
    assert tokens.dtype == "int32"
    np.testing.assert_array_equal(tokens, expected)
    assert len({tuple(row).count(0) for row in expected}) > 1, "the rows should have different lengths"


@pytest.mark.skipif("jit" in toy.PATHS, reason="a traced loop does not call Python")
@pytest.mark.parametrize("lengths, steps", [([2, 4, 3], 4), ([1, 1, 1], 1), ([9, 1, 1], 6)])
def test_stops_as_soon_as_every_sequence_has_ended(lengths, steps):
    calls = []
    tokens = decoding.greedy(toy.counting(calls), np.array(lengths), np.zeros(3, "int32"), 6, 1, pad_token=7)
    assert calls == list(range(steps))
    expected = [toy.padded(([2] * (n - 1) + [1])[:6], 6, pad=7) for n in lengths]
    np.testing.assert_array_equal(tokens, expected)


def test_without_an_end_token_all_sequences_have_max_length():
    table = toy.tables(3, 4, 5)
    tokens = toy.run("eager", lambda t: decoding.greedy(toy.step, toy.new_cache(t, 5), [0, 0, 0], 5, None), table)
    np.testing.assert_array_equal(tokens, [reference.greedy(row, 5, None) for row in table])


def test_the_start_token_is_read_first():
    seen = []

    def step(tokens, cache, index):
        seen.append(np.array(tokens).tolist() if int(index) == 0 else None)
        return np.eye(3, dtype="float32")[[0, 0]], cache

    if "jit" not in toy.PATHS:
        decoding.greedy(step, (), [2, 1], 2, None)
        assert seen == [[2, 1], None]
