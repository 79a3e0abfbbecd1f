"""Recurrent translation models: decoding, saving, compilation, export."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import decoding, export
from keras_attention.models import rnn_search
from tests.backend import QUICK
from tests.models import test_luong as luong
from tests.models import test_rnn_search as search
from tests.models.helpers import numpy
from tests.variants import variants

BACKEND = keras.backend.backend()
SOURCE, TARGET = search.SOURCE, search.TARGET
INPUTS = {"source": SOURCE, "target": TARGET}
MODELS = {
    "rnn_search": lambda **kwargs: search.small(use_bias=True, dropout=0.1, seed=3, **kwargs),
    "rnn_encdec": lambda **kwargs: search.small(attention=False, **kwargs),
    "luong": lambda **kwargs: luong.small(window="local_m", half_width=2, dropout=0.1, **kwargs),
    "luong-local-p": lambda **kwargs: luong.small(window="local_p", half_width=2, **kwargs),
}
each_model = pytest.mark.parametrize("name", MODELS)
# XLA is slow: on TensorFlow only for one model of each paper.
XLA = ["rnn_search", "luong-local-p"]
START, END, L = 1, 2, 5


@functools.cache
def of_name(name):
    """Cached model, for tests that do not modify it."""
    return MODELS[name]()


def stepwise(step, cache, length=TARGET.shape[1]):
    logits = []
    for t in range(length):
        row, cache = step(TARGET[:, t], cache, ops.convert_to_tensor(t, "int32"))
        logits.append(numpy(row))
    return np.stack(logits, axis=1)


@each_model
def test_decoding_steps_match_the_full_forward_pass(name):
    model = of_name(name)
    np.testing.assert_allclose(stepwise(model.step, model.start(SOURCE, L)), numpy(model(INPUTS)), atol=1e-5)


@each_model
def test_caches_are_batch_first_and_keep_their_shapes(name):
    model = of_name(name)
    cache = model.start(SOURCE, L)
    _, after = model.step(TARGET[:, 0], cache, 0)
    keras.tree.assert_same_structure(cache, after)
    for a, b in zip(keras.tree.flatten(cache), keras.tree.flatten(after)):
        assert tuple(a.shape) == tuple(b.shape) and a.shape[0] == 2 and a.dtype == b.dtype


# Not local-p, whose decoding is compared with the compiled one below.
DECODED = ["rnn_search", "rnn_encdec", "luong"]
each_decoded = pytest.mark.parametrize("name", DECODED)


@each_decoded
def test_greedy_returns_the_most_probable_tokens(name):
    model, start = of_name(name), np.full(2, START)
    written = numpy(decoding.greedy(model.step, model.start(SOURCE, L), start, L, END))
    target = np.concatenate([start[:, None], written[:, :-1]], axis=1)
    log_probs = numpy(ops.log_softmax(model({"source": SOURCE, "target": target})))
    for b in range(2):
        ends = np.flatnonzero(written[b] == END)
        length = ends[0] + 1 if len(ends) else L
        np.testing.assert_array_equal(written[b, :length], log_probs[b, :length].argmax(-1))


@pytest.mark.parametrize("name", variants(DECODED, "rnn_search"))
def test_beam_scores_are_penalized_log_probabilities(name):
    model, start = of_name(name), np.full(2, START)
    tokens, scores = decoding.beam_search(model.step, model.start(SOURCE, L), start, L, END, beam_size=3)
    tokens, scores = numpy(tokens).reshape(6, L), numpy(scores).reshape(6)
    target = np.concatenate([np.full((6, 1), START), tokens[:, :-1]], axis=1)
    log_probs = numpy(ops.log_softmax(model({"source": np.repeat(SOURCE, 3, axis=0), "target": target})))
    for written, score, row in zip(tokens, scores, log_probs):
        if not np.isfinite(score):
            continue
        ends = np.flatnonzero(written == END)
        length = ends[0] + 1 if len(ends) else L
        expected = row[np.arange(length), written[:length]].sum() / ((5 + length) / 6) ** 0.6
        np.testing.assert_allclose(score, expected, rtol=1e-3)


@pytest.mark.parametrize("name", variants(list(MODELS), "rnn_search", "luong"))
def test_decoding_in_a_compiled_function(name):
    model = of_name(name)

    def write(source):
        return decoding.greedy(model.step, model.start(source, L), ops.ones_like(source[:, 0]), L, END)

    expected = numpy(write(ops.convert_to_tensor(SOURCE)))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        xla = name in XLA
        spec = tf.TensorSpec([2, 6] if xla else [None, None], tf.int32)
        # AutoGraph, which Keras does not use, would take several times as long.
        compiled = tf.function(write, jit_compile=xla, input_signature=[spec], autograph=False)
        np.testing.assert_array_equal(numpy(compiled(SOURCE)), expected)
    elif BACKEND == "jax":
        import jax

        np.testing.assert_array_equal(numpy(jax.jit(write)(SOURCE)), expected)
    else:
        pytest.skip("Keras does not promise that its layers go through `torch.compile`")


# The others are saved in `test_mixed_precision`.
@pytest.mark.parametrize("name", ["luong-local-p"])
def test_save_and_load(name, tmp_path):
    model = MODELS[name](name="translator")
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is type(model) and twin.get_config() == model.get_config()
    np.testing.assert_allclose(numpy(twin(INPUTS)), numpy(model(INPUTS)), atol=1e-6)
    steps = stepwise(twin.step, twin.start(SOURCE), length=2)
    np.testing.assert_allclose(steps, numpy(model(INPUTS))[:, :2], atol=1e-5)


# The weights of `luong` are among those of local-p.
@pytest.mark.parametrize("name", variants([name for name in MODELS if name != "luong"], "rnn_search"))
def test_trains(name):
    if BACKEND == "torch":
        pytest.skip("Keras does not promise that its layers go through `torch.compile`")
    model = MODELS[name]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA compiles a training step of all their layers in tests/layers/test_conformance.py.
    model.compile(keras.optimizers.Adam(0.01), loss, **QUICK)
    before = [numpy(w) for w in model.trainable_variables]
    losses = [float(model.train_on_batch(INPUTS, TARGET)) for _ in range(2)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    for w, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(numpy(w) - old).max() > 1e-4, w.path


@pytest.mark.parametrize("name", variants(DECODED, "rnn_search"))
def test_mixed_precision(name, tmp_path):
    model, exact = MODELS[name](dtype="mixed_bfloat16"), numpy(of_name(name)(INPUTS))
    logits = model(INPUTS)
    assert keras.backend.standardize_dtype(logits.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(w.dtype) for w in model.trainable_variables} == {"float32"}
    logits = numpy(ops.cast(logits, "float32"))
    np.testing.assert_allclose(logits, exact, atol=0.06 * np.abs(exact).max())
    steps, cache = [], model.start(SOURCE)
    for t in range(2):
        row, cache = model.step(TARGET[:, t], cache, t)
        steps.append(numpy(ops.cast(row, "float32")))
    np.testing.assert_allclose(np.stack(steps, 1), exact[:, :2], atol=0.06 * np.abs(exact).max())
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is type(model) and twin.get_config() == model.get_config()
    np.testing.assert_allclose(numpy(ops.cast(twin(INPUTS), "float32")), logits, atol=1e-6)


# tests/export/serving/test_translation.py exports a quicker one.
@pytest.mark.slow
def test_export_with_greedy_decoding(tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel needs the TensorFlow backend")
    import tensorflow as tf

    model = of_name("rnn_search")

    def write(source):
        return decoding.greedy(model.step, model.start(source, L), tf.ones_like(source[:, 0]), L, END)

    signatures = {"write": (write, {"source": tf.TensorSpec([None, None], tf.int32)})}
    path = export.export_saved_model(model, tmp_path, signatures=signatures, verify=False)
    served = tf.saved_model.load(path).signatures
    expected = numpy(write(tf.constant(SOURCE)))
    np.testing.assert_array_equal(numpy(served["write"](source=tf.constant(SOURCE))["outputs"]), expected)
    lengths = {f"{k}_lengths": tf.constant([v.shape[1]] * 2) for k, v in INPUTS.items()}
    lengths["source_lengths"] = tf.constant([4, 6])
    own = served["serving_default"](**{k: tf.constant(v) for k, v in INPUTS.items()}, **lengths)
    np.testing.assert_allclose(numpy(next(iter(own.values()))), numpy(model(INPUTS)), atol=1e-5)


@pytest.mark.slow
def test_learns_the_alignment_of_reversed_sequences():
    """After a few hundred training steps the attention of nearly every token is on its source."""
    if BACKEND == "torch":
        pytest.skip("minutes on a CPU without a compiler")
    V, N = 12, 6

    def examples(count, seed):
        rng = np.random.default_rng(seed)
        source = np.stack([rng.permutation(V - 3)[:N] + 3 for _ in range(count)]).astype("int32")
        target = source[:, ::-1]
        shifted = np.concatenate([np.full((count, 1), START, "int32"), target[:, :-1]], axis=1)
        return {"source": source, "target": shifted}, target

    sizes = {"embedding_dim": 32, "units": 48, "attention_units": 32, "maxout_units": 24}
    model = rnn_search(V, V, **sizes, kernel_initializer="glorot_uniform")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005, clipnorm=1.0), loss, jit_compile=BACKEND == "jax")
    model.fit(*examples(6400, seed=0), batch_size=64, epochs=4, verbose=0)
    inputs, target = examples(200, seed=1)
    assert (numpy(model(inputs)).argmax(-1) == target).mean() > 0.98
    looked = numpy(model.attention_scores(inputs)).argmax(-1)
    assert (looked == np.arange(N)[::-1]).mean() > 0.95
    start = np.full(200, START)
    written = decoding.greedy(model.step, model.start(inputs["source"]), start, N, None)
    assert (numpy(written) == target).mean() > 0.95
