"""LuongLSTM: equations of the paper for every score, parameter counts, input feeding, initialization."""

import functools

import numpy as np
import pytest

from keras_attention.models import luong_lstm
from tests.models.helpers import numpy
from tests.reference import recurrent as reference

SIZES = {"source_vocabulary_size": 13, "target_vocabulary_size": 17, "embedding_dim": 5, "units": 6, "num_layers": 2}
SOURCE = np.array([[3, 4, 5, 6, 0, 0, 0], [7, 8, 9, 1, 2, 3, 11]], "int32")
TARGET = np.array([[1, 4, 9, 16, 2], [1, 5, 8, 13, 11]], "int32")
INPUTS = {"source": SOURCE, "target": TARGET}
LENGTHS = (4, 7)

VARIANTS = {
    "general": {"score": "general"},
    "dot-not-fed": {"score": "dot", "input_feeding": False},
    "concat": {"score": "concat"},
    "location": {"score": "location", "max_length": 9},
    "local-m": {"score": "general", "window": "local_m", "half_width": 2},
    "local-p": {"score": "general", "window": "local_p", "half_width": 2},
}
each_variant = pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)


@functools.cache
def same(**kwargs):
    """Cached `small`, for tests that do not modify the model."""
    return small(**kwargs)


def small(**kwargs):
    model = luong_lstm(**{**SIZES, **kwargs})
    rng = np.random.default_rng(0)
    for w in model.weights:
        if "seed" not in w.path:
            w.assign(0.5 * rng.standard_normal(w.shape))
    return model


def lstm_weights(cell):
    parts = {}
    for letter, kernel in (("W", cell.kernel), ("U", cell.recurrent_kernel)):
        blocks = np.split(numpy(kernel).astype("float64"), 4, axis=1)
        parts |= {letter + gate: block for gate, block in zip("ifgo", blocks)}
    return parts


def oracle(model, b):
    parts = model.parts
    weights = {
        "Ex": numpy(parts.source_embedding.embeddings),
        "Ey": numpy(parts.target_embedding.embeddings),
        "encoder": [lstm_weights(layer.cell) for layer in parts.encoder],
        "decoder": [lstm_weights(cell) for cell in parts.decoder.cell.cells],
        "Wc": numpy(parts.decoder.attentional_layer.kernel),
        "Ws": numpy(parts.logits.kernel),
    }
    align = aligner(parts.decoder.attention)
    return reference.luong(SOURCE[b, : LENGTHS[b]], TARGET[b], weights, align, model.input_feeding)


def aligner(attention):
    """Alignment weights of sections 3.1 and 3.2; positions are counted from 0."""
    D = attention.half_width

    def logit(h, key, s):
        if attention.score == "dot":
            return h @ key
        if attention.score == "general":
            return h @ (key @ numpy(attention.key_dense.kernel))
        if attention.score == "concat":
            mixed = h @ numpy(attention.query_dense.kernel) + key @ numpy(attention.key_dense.kernel)
            return numpy(attention.vector) @ np.tanh(mixed)
        return (h @ numpy(attention.location_kernel))[s]

    def align(h, memory, t):
        S = len(memory)
        p = t
        if attention.window == "local_p":
            hidden = np.tanh(h @ numpy(attention.position_dense.kernel))
            p = S * reference.sigmoid(hidden @ numpy(attention.position_vector))
        seen = [s for s in range(S) if attention.window is None or abs(s - p) <= D]
        weights = np.zeros(S)
        if seen:
            weights[seen] = reference.softmax(np.array([logit(h, memory[s], s) for s in seen]))
        if attention.window == "local_p":
            weights *= np.exp(-((np.arange(S) - p) ** 2) / (2 * (D / 2) ** 2))
        return weights

    return align


@each_variant
def test_matches_the_numpy_reference(arguments):
    model = same(**arguments)
    logits, scores = numpy(model(INPUTS)), numpy(model.attention_scores(INPUTS))
    for b, length in enumerate(LENGTHS):
        expected = oracle(model, b)
        np.testing.assert_allclose(logits[b], expected[0], atol=1e-4)
        np.testing.assert_allclose(scores[b, :, :length], expected[1], atol=1e-5)
        assert (scores[b, :, length:] == 0).all()


def test_parameter_count_of_the_paper():
    """Four LSTMs of 1000 units in encoder and decoder and 50,000 words: 221.0 million, plus W_p and v_p for local-p."""
    n, V = 1000, 50_000
    fed, lstm = 4 * n * 3 * n, 4 * n * 2 * n
    terms = {"embeddings": 2 * V * n, "encoder": 4 * lstm, "decoder": fed + 3 * lstm, "W_c": 2 * n * n, "W_s": n * V}
    assert sum(terms.values()) + n * n == 221_000_000
    # The same formula on a small model.
    n, V = 10, 50
    fed, lstm, m = 4 * n * 3 * n, 4 * n * 2 * n, {"embedding_dim": 10, "units": 10, "num_layers": 4}
    whole = 2 * V * n + 4 * lstm + fed + 3 * lstm + 2 * n * n + n * V + n * n
    assert luong_lstm(V, V, **m).count_params() == whole
    assert luong_lstm(V, V, window="local_p", **m).count_params() == whole + n * n + n
    assert luong_lstm(V, V, input_feeding=False, **m).count_params() == whole - 4 * n * n
    assert luong_lstm(V, V, use_bias=True, **m).count_params() == whole + 8 * 4 * n
    with pytest.raises(TypeError):
        luong_lstm()


def test_input_feeding_widens_the_first_kernel_and_affects_outputs():
    fed, not_fed = small(), small(input_feeding=False)
    kernels = [numpy(model.parts.decoder.cell.cells[0].kernel) for model in (fed, not_fed)]
    assert [kernel.shape for kernel in kernels] == [(5 + 6, 24), (5, 24)]
    before = numpy(fed(INPUTS))
    kernel = fed.parts.decoder.cell.cells[0].kernel
    kernel.assign(np.where(np.arange(11)[:, None] < 5, kernels[0], 0))
    after = numpy(fed(INPUTS))
    np.testing.assert_allclose(after[:, 0], before[:, 0], atol=1e-5)  # no input feeding at the first step
    assert np.abs(after[:, 1:] - before[:, 1:]).max(axis=(0, 2)).min() > 1e-3


def test_very_wide_window_matches_global_attention():
    whole, window = same(**VARIANTS["general"]), small(window="local_p", half_width=1e6)
    shared = [w for w in window.weights if "position" not in w.path]
    for w, value in zip(shared, whole.get_weights(), strict=True):
        w.assign(value)
    np.testing.assert_allclose(numpy(window(INPUTS)), numpy(whole(INPUTS)), atol=1e-4)


def test_weights_start_uniform_within_0_1():
    for w in luong_lstm(50, 60, embedding_dim=10, units=12, num_layers=2, window="local_p").weights:
        assert 0.05 < np.abs(numpy(w)).max() <= 0.1, w.path


def test_source_padding_does_not_affect_outputs():
    for arguments in (VARIANTS["general"], VARIANTS["local-p"]):
        model = same(**arguments)
        plain = numpy(model({"source": SOURCE[:1, :4], "target": TARGET[:1]}))
        padded = np.pad(SOURCE[:1, :4], ((0, 0), (0, 9)))
        np.testing.assert_allclose(numpy(model({"source": padded, "target": TARGET[:1]})), plain, atol=1e-5)


def test_target_tokens_do_not_affect_earlier_outputs():
    model, changed = same(**VARIANTS["general"]), TARGET.copy()
    changed[:, 3] = 15
    difference = np.abs(numpy(model({**INPUTS, "target": changed})) - numpy(model(INPUTS))).max(axis=(0, 2))
    assert difference[:3].max() == 0 and difference[3:].min() > 1e-3


def test_dropout_is_active_only_in_training():
    model, still = small(dropout=0.4, seed=1), same(**VARIANTS["general"])
    expected = numpy(still(INPUTS))
    np.testing.assert_allclose(numpy(model(INPUTS)), expected, atol=1e-5)
    first, second = (numpy(model(INPUTS, training=True)) for _ in range(2))
    assert np.abs(first - expected).max() > 1e-3 and np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be a positive int"),
        ({"num_layers": 0}, "`num_layers` must be a positive int"),
        ({"dropout": 1.0}, "`dropout` must be"),
        ({"score": "cosine"}, "`score` must be one of"),
        ({"score": "location"}, "`max_length` must be"),
        ({"window": "local"}, "`window` must be one of"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        luong_lstm(**{**SIZES, **arguments})


def test_source_positions_beyond_max_length_are_ignored():
    scores = numpy(small(score="location", max_length=6).attention_scores(INPUTS))
    assert scores.shape[-1] == 7 and np.abs(scores[..., 6]).max() == 0 and np.all(scores[1, :, :6] > 0)
