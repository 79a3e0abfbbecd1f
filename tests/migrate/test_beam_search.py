"""`migrate.beam_search` against tensorflow-addons, and `decoding.beam_search` against both."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import decoding, migrate
from tests import goldens
from tests.layers.helpers import numpy
from tests.migrate.models import END, LONGEST, decoder, starts
from tests.variants import variants

CASES = goldens.cases("beam_search")
# An eager search takes up to two seconds: all widths and penalties with one decoder, some with the other.
for seldom in ("luong_lstm_beams_1_penalty_0.0", "luong_lstm_beams_4_penalty_2.0"):
    del CASES[seldom]
# Each decoder, a single beam and several, with and without a penalty.
EVERYDAY = ("bahdanau_gru_beams_1_penalty_0.0", "bahdanau_gru_beams_3_penalty_0.8", "luong_lstm_beams_3_penalty_0.0")
ATOL = 1e-5


@functools.cache
def search(name):
    """Tokens and scores of `migrate.beam_search`."""
    case = CASES[name]
    step, cache = decoder(case, name)
    settings = {"beam_width": int(case["beams"]), "length_penalty_weight": float(case["length_penalty_weight"])}
    tokens, scores = migrate.beam_search(step, cache, starts(case), LONGEST, END, **settings, pad_token=END)
    return numpy(tokens), numpy(scores)


@functools.cache
def search_here(name):
    """Tokens and scores of `decoding.beam_search` with the same width and penalty."""
    case = CASES[name]
    step, cache = decoder(case, name)
    settings = {"beam_size": int(case["beams"]), "alpha": float(case["length_penalty_weight"])}
    tokens, scores = decoding.beam_search(step, cache, starts(case), LONGEST, END, **settings, pad_token=END)
    return numpy(tokens), numpy(scores)


@pytest.mark.parametrize("name", variants(CASES.keys(), *EVERYDAY))
def test_matches_tensorflow_addons(name):
    case = CASES[name]
    tokens, scores = search(name)
    expected = case["predicted_ids"].transpose(0, 2, 1)
    steps = expected.shape[-1]
    np.testing.assert_array_equal(tokens[..., :steps], expected)
    assert (tokens[..., steps:] == END).all()
    np.testing.assert_allclose(scores, case["step_scores"][:, -1], atol=ATOL)


@pytest.mark.parametrize("name", variants([name for name in CASES if "bahdanau" in name], *EVERYDAY[:2]))
def test_decoding_beam_search_finds_no_worse_finished_sequence(name):
    """Both scored with the penalty of `decoding.beam_search`, which ignores open sequences unless none ends."""
    case = CASES[name]
    alpha = float(case["length_penalty_weight"])
    (_, scores), (tokens, _) = search_here(name), search(name)
    ended = (tokens == END).any(-1)
    lengths = np.where(ended, (tokens == END).argmax(-1) + 1, LONGEST)
    penalised = np.where(ended, case["log_probs"] / numpy(decoding.length_penalty(lengths, alpha)), -np.inf)
    assert (scores[:, 0] >= penalised.max(-1) - ATOL).all()


def test_without_a_penalty_decoding_beam_search_finds_the_same_or_a_better_sequence():
    """tensorflow-addons loses a short sequence that is not among the best K when it ends."""
    better = []
    for name, case in CASES.items():
        if not case["length_penalty_weight"]:
            (tokens, scores), (ours, our_scores) = search(name), search_here(name)
            same = (ours[:, 0] == tokens[:, 0]).all(-1)
            np.testing.assert_allclose(our_scores[same, 0], scores[same, 0], atol=ATOL)
            assert (our_scores[~same, 0] > scores[~same, 0] + 0.5).all()
            better += [name] * (~same).sum()
    assert better == ["bahdanau_gru_beams_3_penalty_0.0"]


def test_length_penalty_excludes_then_includes_the_end_token():
    """One token, then the end: log p / lp(1) in the last step, log p / lp(2) after it."""
    probabilities = [[0.0, 0.5, 0.3, 0.2], [0.0, 0.1, 0.9, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    logits = np.log(np.maximum(probabilities, 1e-30))

    def step(tokens, cache, index):
        return keras.ops.take(keras.ops.convert_to_tensor(logits, dtype="float32"), tokens, axis=0), cache

    def scores(max_length):
        settings = {"beam_width": 3, "length_penalty_weight": 1.0}
        tokens, scores = migrate.beam_search(step, (), np.array([0]), max_length, 2, **settings)
        at = numpy(tokens)[0].tolist().index([1, 2] + [0] * (max_length - 2))
        return numpy(scores)[0, at]

    np.testing.assert_allclose(scores(2), np.log(0.45) / (6 / 6), atol=ATOL)
    np.testing.assert_allclose(scores(3), np.log(0.45) / (7 / 6), atol=ATOL)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"beam_width": 0}, "`beam_width`.*Received: beam_width=0"),
        ({"length_penalty_weight": -1.0}, "Received: length_penalty_weight=-1.0"),
        ({"end_token": None}, "`end_token`.*Received: end_token=None"),
        ({"cache": np.ones((3, 1))}, "first axis of every leaf"),
    ],
    ids=str,
)
def test_invalid_arguments_raise_errors(change, message):
    settings = {"cache": (), "start_tokens": np.array([0, 0]), "max_length": 3, "end_token": 2, **change}
    with pytest.raises(ValueError, match=message):
        migrate.beam_search(lambda tokens, cache, index: (keras.ops.one_hot(tokens, 5), cache), **settings)


def test_runs_compiled():
    """Inside a graph, under XLA."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.function")
    import tensorflow as tf

    name = "bahdanau_gru_beams_3_penalty_0.8"
    step, cache = decoder(CASES[name], name)

    def run(start_tokens, cache):
        return migrate.beam_search(step, cache, start_tokens, LONGEST, END, 3, 0.8, pad_token=END)

    tokens, scores = tf.function(run, jit_compile=True, autograph=False)(tf.constant(starts(CASES[name])), cache)
    expected = search(name)
    np.testing.assert_array_equal(numpy(tokens), expected[0])
    np.testing.assert_allclose(numpy(scores), expected[1], atol=ATOL)
