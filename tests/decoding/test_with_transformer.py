"""The decoders with a Transformer and its key/value cache, against repeated full forward passes."""

import functools

import numpy as np
import pytest
from keras import ops

from keras_attention import decoding, models
from tests.backend import BACKEND
from tests.decoding import toy

V, L, START, END = 11, 6, 1, 2
SOURCE = np.array([[5, 7, 3, 2, 0, 0, 0], [8, 4, 9, 6, 10, 3, 2], [4, 2, 0, 0, 0, 0, 0]], "int32")
# The toy model covers all paths, and tests/export/test_other_runtimes.py decodes with a Transformer in a graph.
QUICK = "jit" if "jit" in toy.PATHS else "eager"


@functools.cache
def model(num_layers):
    model = models.transformer(
        vocabulary_size=V, num_layers=num_layers, model_dim=12, num_heads=3, intermediate_dim=20, key_dim=5, value_dim=7
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.4, w.shape).astype("float32") for w in model.weights])
    return model


def forward(target, num_layers=1):
    """Log-probabilities [B, T, V] under teacher forcing: the start token before the target."""
    target = np.concatenate([np.full((len(target), 1), START), target], axis=1)
    source = SOURCE[np.arange(len(target)) * len(SOURCE) // len(target)]
    logits = ops.convert_to_numpy(model(num_layers)({"source": source, "target": target})).astype("float64")
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def decode(decoder, source, num_layers=1, **options):
    start, transformer = ops.full_like(source[:, 0], START), model(num_layers)
    return decoder(transformer.step, transformer.start(source, L), start, L, END, **options)


def test_greedy_with_a_cache_matches_the_full_forward_pass():
    model(2)  # created outside the compiled function
    tokens = toy.run(QUICK, functools.partial(decode, decoding.greedy, num_layers=2), SOURCE)
    # The decoder is causal: each token is the argmax of its step if it is the argmax of one full forward pass.
    best = forward(tokens[:, :-1], num_layers=2).argmax(-1)
    ended = np.cumsum(tokens == END, axis=1) - (tokens == END) > 0
    np.testing.assert_array_equal(tokens, np.where(ended, 0, best))


def test_beam_scores_match_the_full_forward_pass():
    K, alpha = 3, 0.6
    model(1)  # created outside the compiled function
    search = functools.partial(decode, decoding.beam_search, beam_size=K, alpha=alpha, stop_early=False)
    tokens, scores = toy.run(QUICK, search, SOURCE)
    found = (scores > -np.inf).ravel()
    assert found.sum() >= 6
    rows = tokens.reshape(-1, L)
    log_probs = np.take_along_axis(forward(rows[:, :-1]), rows[:, :, None], axis=-1)[..., 0]
    ended = np.cumsum(rows == END, axis=1) - (rows == END) > 0
    length = (~ended).sum(1)
    expected = np.where(ended, 0, log_probs).sum(1) / ((5 + length) / 6) ** alpha
    np.testing.assert_allclose(scores.ravel()[found], expected[found], rtol=1e-4)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a TensorFlow graph")
def test_a_step_has_few_operations():
    """Each operation takes microseconds, and one over a whole cache more: counted where it is traced."""
    import tensorflow as tf

    def body(num_layers):
        model(num_layers)
        run = tf.function(functools.partial(decode, decoding.greedy, num_layers=num_layers), autograph=False)
        functions = run.get_concrete_function(tf.constant(SOURCE)).graph.as_graph_def().library.function
        loop = next(f for f in functions if "while_body" in f.signature.name)
        return [node.op for node in loop.node_def if node.op not in ("Const", "Identity")]

    one, two = body(1), body(2)
    assert len(two) - len(one) < 130, "of a block: 120 when this was written, 152 by calls of its layers"
    assert len(one) < 175
    # Keys and values are written in place and multiplied as they lie: only a product's own transposes, no selection.
    assert two.count("StatelessCase") == 4 and two.count("Transpose") == 4 and "TensorScatterUpdate" not in two
