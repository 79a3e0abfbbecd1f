"""RNNsearch and RNNencdec: NumPy reference, parameter counts, order of computation, initialization."""

import functools

import keras
import numpy as np
import pytest

from keras_attention.models import rnn_search
from tests.layers.test_gated_recurrent_cell import weights_of
from tests.models.helpers import numpy, without_memory
from tests.reference import recurrent as reference

SIZES = {
    "source_vocabulary_size": 13,
    "target_vocabulary_size": 17,
    "embedding_dim": 5,
    "units": 6,
    "attention_units": 7,
    "maxout_units": 4,
}
SOURCE = np.array([[3, 4, 5, 6, 0, 0], [7, 8, 9, 1, 2, 3]], "int32")
TARGET = np.array([[1, 4, 9, 16, 2], [1, 5, 8, 13, 11]], "int32")
INPUTS = {"source": SOURCE, "target": TARGET}


@functools.cache
def same(attention=True, use_bias=False):
    """Cached `small`, for tests that do not modify the model."""
    return small(attention=attention, use_bias=use_bias)


def small(**kwargs):
    """Random values for all weights: the paper's small and zero initial ones would hide errors."""
    model = rnn_search(**{**SIZES, **kwargs})
    rng = np.random.default_rng(0)
    for w in model.weights:
        if "seed" not in w.path:
            w.assign(0.5 * rng.standard_normal(w.shape))
    return model


def oracle_weights(model):
    parts, n, D = model.parts, model.units, model.units * (2 if model.attention else 1)
    bias = {layer: _bias(layer) for layer in (parts.initial, parts.readout.dense, parts.logits)}
    readout = numpy(parts.readout.dense.kernel)
    weights = {
        "Ex": _table(parts.embeddings["source"]),
        "Ey": _table(parts.embeddings["target"]),
        "forward": weights_of(parts.forward.cell),
        "Ws": numpy(parts.initial.kernel),
        "bs": bias[parts.initial],
        "cell": weights_of(parts.decoder.rnn.cell),
        "Uo": readout[:n],
        "Co": readout[n : n + D],
        "Vo": readout[n + D :],
        "bo": bias[parts.readout.dense],
        "Wo": numpy(parts.logits.kernel),
        "by": bias[parts.logits],
    }
    if not model.attention:
        return {**weights, "V": numpy(parts.summary.kernel), "bV": _bias(parts.summary)}
    attention = parts.decoder.rnn.attention
    names = {"Wa": attention.query_dense.kernel, "Ua": attention.key_dense.kernel, "va": attention.vector}
    alignment = {name: numpy(w) for name, w in names.items()}
    return {**weights, "backward": weights_of(parts.backward.cell), "attention": alignment}


def _bias(layer):
    return numpy(layer.bias) if layer.use_bias else np.zeros(layer.units)


def _table(embedding):
    table, *bias = embedding["layers"]
    return numpy(table.embeddings) + (numpy(bias[0].bias) if bias else 0)


@pytest.mark.parametrize("use_bias", [False, True])
def test_matches_the_numpy_reference(use_bias):
    model = same(True, use_bias)
    logits, scores = numpy(model(INPUTS)), numpy(model.attention_scores(INPUTS))
    for b, length in enumerate((4, 6)):
        expected = reference.rnn_search(SOURCE[b, :length], TARGET[b], oracle_weights(model))
        np.testing.assert_allclose(logits[b], expected[0], atol=1e-4)
        np.testing.assert_allclose(scores[b, :, :length], expected[1], atol=1e-5)
        assert (scores[b, :, length:] == 0).all()


@pytest.mark.parametrize("use_bias", [False, True])
def test_rnn_encdec_matches_the_numpy_reference(use_bias):
    model = same(False, use_bias)
    logits = numpy(model(INPUTS))
    for b, length in enumerate((4, 6)):
        expected = reference.rnn_encdec(SOURCE[b, :length], TARGET[b], oracle_weights(model))
        np.testing.assert_allclose(logits[b], expected, atol=1e-4)
    with pytest.raises(ValueError, match="without attention has no scores"):
        model.attention_scores(INPUTS)


def test_parameter_counts_of_the_paper():
    """Each term of the paper's appendix, with m = 620, n = n' = 1000, l = 500 and K = 30,000."""
    m, n, maxout, K = 620, 1000, 500, 30_000
    terms = {
        "source_embedding": K * m,
        "forward": 3 * (m * n + n * n),
        "backward": 3 * (m * n + n * n),
        "initial_state": n * n,
        "target_embedding": K * m,
        "decoder": 3 * (m * n + n * n + 2 * n * n) + n * n + 2 * n * n + n,
        "readout": 2 * maxout * (n + m + 2 * n),
        "logits": maxout * K,
    }
    with without_memory():
        model = rnn_search(K, K)
    counted = {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}
    assert counted == terms
    assert model.count_params() == sum(terms.values()) == 80_401_000


def test_use_bias_adds_the_biases_of_the_authors_code():
    """One on each embedding, candidate, s_0, readout and logits; none on gates and in the attention."""
    for attention, cells in ((True, 3), (False, 2)):
        more = same(attention, True).count_params()
        m, n, maxout, V = (SIZES[k] for k in ("embedding_dim", "units", "maxout_units", "target_vocabulary_size"))
        dense = n if attention else 2 * n
        assert more - same(attention, False).count_params() == 2 * m + cells * n + dense + 2 * maxout + V


def test_weights_start_as_in_the_paper():
    model = rnn_search(300, 400, embedding_dim=50, units=60, attention_units=70, maxout_units=40, use_bias=True)
    deviations = {}
    for w in model.weights:
        value, path = numpy(w), w.path
        if path.endswith(("bias", "vector")):
            assert (value == 0).all(), path
        elif path.endswith(("gates_kernel", "candidate_kernel")):
            for block in np.split(value, value.shape[1] // 60, axis=1):
                np.testing.assert_allclose(block @ block.T, np.eye(60), atol=1e-4)
        else:
            deviations[path] = value.std()
    small_ones = {path for path, deviation in deviations.items() if deviation < 0.002}
    assert {path.split("/")[-2] for path in small_ones} == {"query", "key"}
    for path, deviation in deviations.items():
        assert abs(deviation / (0.001 if path in small_ones else 0.01) - 1) < 0.1, path
    scores = numpy(model.attention_scores(INPUTS))
    np.testing.assert_allclose(scores[0, :, :4], 1 / 4, atol=1e-6)  # v_a = 0: uniform attention
    given = rnn_search(**SIZES, kernel_initializer="glorot_uniform")
    kernels = [numpy(w) for w in given.weights if w.path.endswith("/kernel")]
    assert all(np.abs(kernel).max() > 0.1 for kernel in kernels)


def test_source_padding_does_not_affect_outputs():
    for attention in (True, False):
        model = small(attention=attention)
        plain = numpy(model({"source": SOURCE[:1, :4], "target": TARGET[:1]}))
        padded = np.pad(SOURCE[:1, :4], ((0, 0), (0, 9)))
        table = model.parts.embeddings["source"]["layers"][0].embeddings
        table.assign(
            np.where(np.arange(13)[:, None] == 0, np.nan, numpy(table))
        )  # NaN would propagate even with weight 0
        np.testing.assert_allclose(numpy(model({"source": padded, "target": TARGET[:1]})), plain, atol=1e-5)


def test_initial_state_depends_on_the_backward_encoder_only():
    model = small()
    before = [numpy(x) for x in model.parts.encode(SOURCE)]
    changed = SOURCE.copy()
    changed[:, 3] = 12
    assert np.abs(numpy(model.parts.encode(changed)[2]) - before[2]).max(axis=1).min() > 1e-4
    for w in model.parts.forward.weights:
        w.assign(numpy(w) + 1)
    after = [numpy(x) for x in model.parts.encode(SOURCE)]
    np.testing.assert_array_equal(after[2], before[2])
    assert np.abs(after[0] - before[0]).max() > 1e-2
    np.testing.assert_array_equal(after[0][..., 6:], before[0][..., 6:])


def test_order_is_look_generate_update():
    model = same(True, False)
    # One batch with each token changed in turn, beside one that is not changed: rounding depends on the place in it.
    original = np.stack([TARGET] * 5)
    changed = original.copy()
    for i in range(5):
        changed[i, :, i] = 15
    batches = [{"source": np.tile(SOURCE, (5, 1)), "target": x.reshape(10, 5)} for x in (original, changed)]
    logits, changed_logits = (np.split(numpy(model(x)), 5) for x in batches)
    scores, changed_scores = (np.split(numpy(model.attention_scores(x)), 5) for x in batches)
    for i in range(5):
        later, looked = np.abs(changed_logits[i] - logits[i]), np.abs(changed_scores[i] - scores[i])
        # Token i affects the logits of its own step, and the attention from the next step on.
        assert later[:, :i].max(initial=0) == 0 and looked[:, : i + 1].max() == 0
        if i == 0:  # the start token is ignored
            assert later.max() == 0 and looked.max() == 0
        else:
            assert later[:, i].max(axis=1).min() > 1e-3
            assert i == 4 or looked[:, i + 1].max(axis=1).min() > 1e-6


def test_dropout_is_active_only_in_training():
    model, still = small(dropout=0.4, seed=1), same(True, False)
    expected = numpy(still(INPUTS))
    np.testing.assert_allclose(numpy(model(INPUTS)), expected, atol=1e-5)
    first, second = (numpy(model(INPUTS, training=True)) for _ in range(2))
    assert np.abs(first - expected).max() > 1e-2 and np.abs(first - second).max() > 1e-2
    seeds = [x.seed for x in model._flatten_layers() if isinstance(x, keras.layers.Dropout)]
    assert len(set(seeds)) == len(seeds) == 3


@pytest.mark.parametrize("name", SIZES)
def test_bad_arguments_raise(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive int"):
        rnn_search(**{**SIZES, name: 0})
