"""Suppressed tokens are never chosen, by no decoder; what is chosen instead is the next best."""

import numpy as np
import pytest

from keras_attention import decoding
from tests.decoding import toy
from tests.reference import decoding as reference

V, L, END = 5, 4, 2
TABLE = toy.tables(11, V, L)
STEP = decoding.suppress(toy.step, tokens=(3,), first_tokens=[END, 1])


def suppressed():
    """The table whose logits are those of the step."""
    table = TABLE.copy()
    table[:, :, 3] = -np.inf
    table[:, 0, [END, 1]] = -np.inf
    return table


@pytest.mark.parametrize("path", toy.PATHS)
def test_greedy_takes_the_next_best(path):
    tokens = toy.run(
        path, lambda t, s: decoding.greedy(STEP, toy.new_cache(t, L), s, L, END), TABLE, toy.start_tokens(TABLE)
    )
    np.testing.assert_array_equal(tokens, [toy.padded(reference.greedy(row, L, END), L) for row in suppressed()])
    free = [toy.padded(reference.greedy(row, L, END), L) for row in TABLE]
    assert (tokens != free).any(1).sum() > 5, "tokens must be suppressed in most rows, or the test would be void"


@pytest.mark.parametrize("path", toy.PATHS)
def test_samples_and_beams_hold_none(path):
    def draw(table, start):
        cache = toy.new_cache(table, L)
        return [
            decoding.sample(STEP, cache, start, L, END, seed=1, temperature=9.0),
            decoding.beam_search(STEP, cache, start, L, END, 3)[0],
        ]

    drawn, beams = toy.run(path, draw, TABLE, toy.start_tokens(TABLE))
    for tokens in (drawn, beams.reshape(-1, L)):
        assert not (tokens == 3).any() and not np.isin(tokens[:, 0], (END, 1)).any()
        assert (tokens[:, 1:] == END).any()


def test_the_step_that_a_model_prepares_is_used():
    class Model:
        calls = []

        def step(self, tokens, cache, index):
            raise AssertionError("`prepare_step` must be used")

        def prepare_step(self):
            self.calls.append("prepared")
            return toy.step

    tokens = decoding.greedy(
        decoding.suppress(Model().step, [3], [END, 1]), toy.new_cache(TABLE, L), toy.start_tokens(TABLE), L, END
    )
    expected = [toy.padded(reference.greedy(row, L, END), L) for row in suppressed()]
    np.testing.assert_array_equal(np.asarray(tokens), expected)
    assert Model.calls == ["prepared"]


def test_wrong_arguments():
    for given in ({"tokens": [1.5]}, {"tokens": [-1]}, {"first_tokens": ["a"]}):
        with pytest.raises(ValueError, match=f"`{next(iter(given))}` must be an int of at least 0"):
            decoding.suppress(toy.step, **given)
    for tokens in ([V], range(V)):
        step = decoding.suppress(toy.step, tokens)
        with pytest.raises(ValueError, match="must be some, not all, of the V=5 tokens"):
            decoding.greedy(step, toy.new_cache(TABLE, L), toy.start_tokens(TABLE), L, END)
