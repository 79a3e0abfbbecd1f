import re

import numpy as np
import pytest
from keras import ops

from keras_attention import decoding, models
from tests.backend import BACKEND
from tests.decoding import toy
from tests.variants import variants

DECODERS = [decoding.greedy, decoding.sample, decoding.beam_search]
each_decoder = pytest.mark.parametrize("decode", DECODERS, ids=lambda f: f.__name__)


def step(tokens, cache, index):
    return ops.one_hot(tokens, 5), cache


GOOD = {"step": step, "cache": (), "start_tokens": [1, 2], "max_length": 3, "end_token": 4, "pad_token": 0}


@each_decoder
@pytest.mark.parametrize(
    "bad, message",
    [
        ({"step": None}, "`step` must be callable"),
        ({"max_length": 0}, "`max_length` must be a positive int. Received: max_length=0"),
        ({"max_length": 2.5}, "`max_length` must be a positive int"),
        ({"max_length": True}, "`max_length` must be a positive int"),
        ({"max_length": ops.convert_to_tensor(3)}, "Pass a limit that is a tensor as `limits`"),
        ({"limits": [1.0, 2.0]}, "`limits` must be integers of shape [B]"),
        ({"limits": [1, 2, 3]}, "`limits` must be integers of shape [B]"),
        ({"end_token": -1}, "`end_token` must be `None` or an int of at least 0"),
        ({"end_token": 5}, "`end_token` must be one of the V=5 tokens"),
        ({"pad_token": None}, "`pad_token` must be an int"),
        ({"start_tokens": [[1, 2]]}, "`start_tokens` must be integers of shape [B]"),
        ({"start_tokens": 1}, "`start_tokens` must be integers of shape [B]"),
        ({"start_tokens": [1, -2]}, "`start_tokens` must be at least 0. Received: start_tokens=[1, -2]"),
        ({"start_tokens": [1.0, 2.0]}, "`start_tokens` must be integers of shape [B]"),
        ({"cache": {"a": np.zeros((3, 7))}}, "first axis of every leaf of `cache` must be the batch"),
        ({"cache": {"a": np.zeros(())}}, "first axis of every leaf of `cache` must be the batch"),
        ({"cache": None}, "for no cache pass `()`"),
    ],
)
def test_invalid_arguments_raise_errors(decode, bad, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        decode(**{**GOOD, **bad})


@each_decoder
@pytest.mark.parametrize(
    "broken, message",
    [
        (lambda t, c, i: (ops.one_hot(t, 5)[:, None], c), "logits of shape [B, V]"),
        (lambda t, c, i: ops.one_hot(t, 5), "`step` must return a pair (logits, cache). Received:"),
        (lambda t, c, i: (ops.one_hot(t, 5), c, i), "`step` must return a pair (logits, cache). Received: tuple of 3:"),
        (lambda t, c, i: (c, ops.one_hot(t, 5)), "must return a pair (logits, cache). Received: tuple of 2: dict"),
        (lambda t, c, i: None, "`step` must return a pair (logits, cache). Received: NoneType"),
        (lambda t, c, i: (ops.one_hot(t, 5), {}), "a cache of the structure it was given"),
        (lambda t, c, i: (ops.one_hot(t, 5), {"a": c["a"][:, :2]}), "with the shape and dtype it was given"),
        (lambda t, c, i: (ops.one_hot(t, 5), {"a": ops.cast(c["a"], "int32")}), "with the shape and dtype"),
    ],
)
def test_invalid_step_results_raise_errors(decode, broken, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        decode(**{**GOOD, "step": broken, "cache": {"a": np.zeros((2, 3), "float32")}})


@each_decoder
def test_half_precision_logits_are_cast_to_float32(decode):
    # The log-softmax of bfloat16 logits must be computed in float32.
    def half(tokens, cache, index):
        return ops.cast(ops.one_hot(tokens, 5), "bfloat16"), cache

    if decode is decoding.beam_search:
        _, scores = decode(**{**GOOD, "step": half})
        _, exact = decode(**GOOD)
        np.testing.assert_array_equal(ops.convert_to_numpy(scores), ops.convert_to_numpy(exact))
    else:
        assert tuple(decode(**{**GOOD, "step": half}).shape) == (2, 3)


@pytest.mark.parametrize("path", sorted({toy.PATHS[0], toy.PATHS[-1]}))
def test_a_row_with_a_limit_is_that_of_a_shorter_search(path):
    """Limits are those of the rows, whatever the others' are; a scalar is that of all."""
    V, L, end = 5, 4, 3
    limits = np.array([2, 9, 0, 3, -1, 1, 4], "int32")
    table = toy.tables(len(limits), V, L, seed=2, scale=0.7)
    start = toy.start_tokens(table)

    def run(table, start, limits, longest=L):
        step, cache = toy.step, toy.new_cache(table, longest)
        greedy = decoding.greedy(step, cache, start, longest, end, pad_token=4, limits=limits)
        sampled = decoding.sample(step, cache, start, longest, end, top_k=1, seed=0, pad_token=4, limits=limits)
        return greedy, sampled, decoding.beam_search(step, cache, start, longest, end, 3, pad_token=4, limits=limits)

    greedy, sampled, (tokens, scores) = toy.run(path, run, table, start, limits)
    np.testing.assert_array_equal(sampled, greedy)
    for row, limit in enumerate(np.clip(limits, 0, L)):
        assert (greedy[row, limit:] == 4).all() and (tokens[row, :, limit:] == 4).all()
        if not limit:
            assert scores[row].tolist() == [0, -np.inf, -np.inf], "the empty sequence"
            continue
        alone, _, (alone_tokens, alone_scores) = run(table[[row]], start[[row]], None, int(limit))
        np.testing.assert_array_equal(greedy[row, :limit], ops.convert_to_numpy(alone)[0])
        np.testing.assert_array_equal(tokens[row, :, :limit], ops.convert_to_numpy(alone_tokens)[0])
        np.testing.assert_allclose(scores[row], ops.convert_to_numpy(alone_scores)[0], rtol=1e-5)
    of_all = run(table, start, 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(of_all[0])[0], greedy[0])


def diverging(tokens, cache, index):
    """Counts up from the token; the logits of row 1 contain a NaN from its second token on."""
    row, logits = cache, ops.one_hot((tokens + 1) % 9, 9) * 5.0
    broken = ops.logical_and(row == 1, index >= 1)[:, None]
    return ops.where(broken, ops.convert_to_tensor([0.0] * 8 + [float("nan")]), logits), cache


@pytest.mark.parametrize("path", sorted({toy.PATHS[0], toy.PATHS[-1]}))  # a graph is what XLA compiles
def test_nan_logits_end_only_their_own_sequence(path):
    row, start = np.array([0, 1, 2]), np.array([1, 1, 3])
    options = {"max_length": 4, "end_token": 5, "pad_token": 7}

    def run(row, start):
        greedy = decoding.greedy(diverging, row, start, **options)
        sampled = decoding.sample(diverging, row, start, **options, top_k=1, seed=0)
        return greedy, sampled, decoding.beam_search(diverging, row, start, **options, beam_size=2)

    greedy, sampled, (tokens, scores) = toy.run(path, run, row, start)
    np.testing.assert_array_equal(greedy, [[2, 3, 4, 5], [2, 7, 7, 7], [4, 5, 7, 7]])
    np.testing.assert_array_equal(sampled, greedy)
    np.testing.assert_array_equal(tokens[:, 0], [[2, 3, 4, 5], [7, 7, 7, 7], [4, 5, 7, 7]])
    assert np.isneginf(scores[1]).all()
    step_loss = np.log(np.exp(5) + 8) - 5
    np.testing.assert_allclose(scores[[0, 2], 0], [-n * step_loss / ((5 + n) / 6) ** 0.6 for n in (4, 2)], rtol=1e-5)


def test_finished_sequences_are_kept_when_open_ones_have_nan_logits():
    def step(tokens, cache, index):
        first = ops.log(ops.convert_to_tensor([[0.1, 0.5, 0.4]]))
        return ops.where(index == 0, first, float("nan")) + ops.cast(0 * tokens, "float32")[:, None], cache

    tokens, scores = decoding.beam_search(step, (), [0], 3, end_token=2, beam_size=2, alpha=0.0)
    assert ops.convert_to_numpy(tokens).tolist() == [[[2, 0, 0], [0, 0, 0]]]
    np.testing.assert_allclose(ops.convert_to_numpy(scores), [[np.log(0.4), -np.inf]], rtol=1e-5)


class Model:
    """A model whose prepared step generates other tokens."""

    def step(self, tokens, cache, index):
        return ops.one_hot(tokens + 1, 5), cache

    def prepare_step(self):
        return lambda tokens, cache, index: (ops.one_hot(tokens + 2, 5), cache)


@each_decoder
def test_the_step_of_a_model_is_prepared(decode):
    options = {"top_k": 1} if decode is decoding.sample else {"beam_size": 1} if decode is decoding.beam_search else {}
    model = Model()

    def run(step):
        tokens = decode(step, (), [0], 2, None, **options)
        return ops.convert_to_numpy(tokens[0] if isinstance(tokens, tuple) else tokens).ravel().tolist()

    assert run(model.step) == [2, 4]
    assert run(lambda *arguments: model.step(*arguments)) == [1, 2], "only the method itself is prepared"


SIZES = {"source_vocabulary_size": 11, "target_vocabulary_size": 11, "embedding_dim": 5, "units": 6}
BLOCK = {"num_layers": 1, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20}


def transformer():
    return models.transformer(vocabulary_size=11, **BLOCK)


def images():
    model = models.image_transformer(channels=1, query_block=4, memory_block=4, **BLOCK)
    return lambda source: decoding.sample_image(model, (4, 6), 2)


def tokens(model, decode):
    return lambda source: decode(model.step, model.start(source, 6), source[:, 0], 6, 2)


# The operations of a step when this was written: 99, 91, 183, 298 (Keras 3.8: 316), 279. Those of greedy decoding
# with a Transformer are counted in `test_with_transformer.py`.
STEPS = {
    "rnn_search": (lambda: tokens(models.rnn_search(**SIZES, attention_units=7, maxout_units=4), decoding.greedy), 105),
    "luong_lstm": (lambda: tokens(models.luong_lstm(**SIZES, num_layers=1), decoding.greedy), 97),
    "sample": (lambda: tokens(transformer(), decoding.sample), 193),
    "beam_search": (lambda: tokens(transformer(), decoding.beam_search), 330),
    "sample_image": (images, 293),
}


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow graph")
@pytest.mark.parametrize("name", variants(STEPS.keys(), "luong_lstm", "beam_search", "sample_image"))
def test_a_step_has_few_operations(name):
    import tensorflow as tf

    make, most = STEPS[name]
    source = tf.constant([[5, 7, 3, 2, 0, 0, 0], [8, 4, 9, 6, 10, 3, 2]])
    graph = tf.function(make(), autograph=False).get_concrete_function(source).graph.as_graph_def()
    bodies = [f for f in graph.library.function if "while_body" in f.signature.name]
    counts = [sum(node.op not in ("Const", "Identity") for node in body.node_def) for body in bodies]
    assert 50 < max(counts) <= most, "the decoder's loop; an encoder's is smaller"
