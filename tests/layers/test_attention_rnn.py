"""AttentionRNN against the papers' loops and its own steps: cells, attentions, orders, gradients on every path."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import (
    AttentionRNN,
    BahdanauAttention,
    BahdanauMonotonicAttention,
    GatedRecurrentCell,
    LuongAttention,
)
from tests.backend import COMPILED, value_and_gradients
from tests.layers.helpers import noisy, numpy, random
from tests.layers.test_gated_recurrent_cell import weights_of
from tests.reference import recurrent as reference

X, MEMORY = random(2, 4, 3), random(2, 7, 6, seed=1)
MASK = np.array([[True, True, False, False], [True] * 4])
MEMORY_MASK = np.arange(7) < np.array([[3], [6]])
LENGTHS = MEMORY_MASK.sum(1).astype("int32")

CELLS = {
    "gated": lambda: GatedRecurrentCell(4),
    "gru": lambda: keras.layers.GRUCell(4),
    "lstm": lambda: keras.layers.LSTMCell(4),
    "stacked": lambda: keras.layers.StackedRNNCells([keras.layers.LSTMCell(8), GatedRecurrentCell(4)]),
    "stack-of-one": lambda: keras.layers.StackedRNNCells([keras.layers.LSTMCell(4)]),
}
ATTENTIONS = {
    "bahdanau": lambda: BahdanauAttention(5),
    "coverage": lambda: BahdanauAttention(5, coverage=True),
    "local": lambda: LuongAttention("general", window="local_m", half_width=2),
    "monotonic": lambda: BahdanauMonotonicAttention(5, mode="recursive"),
}


def dense():
    return keras.layers.Dense(9, "tanh", use_bias=False)


WIRINGS = {
    "search": lambda: {"order": "look_generate_update"},
    "search-dense": lambda: {"order": "look_generate_update", "attentional_layer": dense()},
    "luong": lambda: {"input_feeding": True, "attentional_layer": dense()},
    "context-fed": lambda: {"input_feeding": True, "attentional_layer": "context"},
    "cell-output": lambda: {"input_feeding": True, "attentional_layer": dense(), "output_attention": False},
    "not-fed": lambda: {"attentional_layer": dense()},
}
# Every cell, every attention and every wiring at least once; both orders with cells of several states.
COMBINED = [
    ("gated", "bahdanau", "search"),
    ("gated", "coverage", "search-dense"),
    ("gated", "monotonic", "search"),
    ("gru", "bahdanau", "context-fed"),
    ("gru", "local", "luong"),
    ("lstm", "coverage", "search"),
    ("lstm", "local", "cell-output"),
    ("stacked", "bahdanau", "search"),
    ("stacked", "coverage", "luong"),
    ("stack-of-one", "bahdanau", "not-fed"),
]
each = pytest.mark.parametrize(("cell", "attention", "wiring"), COMBINED, ids="-".join)


def make(cell="gated", attention="bahdanau", wiring="search", **kwargs):
    rnn = AttentionRNN(CELLS[cell](), ATTENTIONS[attention](), **WIRINGS[wiring](), **kwargs)
    return noisy(rnn, X, MEMORY)


def in_steps(rnn, state=None, until=None):
    memory = rnn.project_memory(MEMORY, lengths=LENGTHS)
    state, outputs, scores = rnn.start(memory) if state is None else state, [], []
    for t in range(X.shape[1] if until is None else until):
        output, seen, state = rnn.step(X[:, t], memory, state)
        outputs.append(numpy(output))
        scores.append(numpy(seen))
    return np.stack(outputs, 1), np.stack(scores, 1), state


def loop(rnn, b, mask):
    """The recurrence of the paper over one sample, with a gated cell and Bahdanau's attention."""
    cell = {name: np.asarray(w, "float64") for name, w in weights_of(rnn.cell).items()}
    attention = rnn.attention
    alignment = {"Wa": attention.query_dense.kernel, "Ua": attention.key_dense.kernel, "va": attention.vector}
    alignment = {name: numpy(w).astype("float64") for name, w in alignment.items()}
    memory = MEMORY[b, : LENGTHS[b]].astype("float64")
    layer = rnn.attentional_layer
    g = (lambda h, c: np.concatenate([h, c])) if layer is None else None
    if layer == "context":
        g = lambda h, c: c  # noqa: E731
    elif layer is not None:
        g = lambda h, c: np.tanh(np.concatenate([h, c]) @ numpy(layer.kernel))  # noqa: E731
    h, fed = np.zeros(4), np.zeros(rnn._attentional_size)
    outputs, scores = [], []
    for t in np.flatnonzero(mask):
        if rnn.order == "look_generate_update":
            alpha, c = reference.additive(h, memory, alignment)
            attentional = g(h, c)
            h_before, h = h, reference.gated_unit(np.concatenate([X[b, t], c]), h, cell)
            outputs.append(attentional if rnn.output_attention else h_before)
        else:
            h = reference.gated_unit(np.concatenate([X[b, t], fed]) if rnn.input_feeding else X[b, t], h, cell)
            alpha, c = reference.additive(h, memory, alignment)
            fed = g(h, c)
            outputs.append(fed if rnn.output_attention else h)
        scores.append(np.pad(alpha, (0, 7 - len(alpha))))
    return np.array(outputs), np.array(scores), h


@pytest.mark.parametrize("wiring", WIRINGS)
def test_is_the_recurrence_of_the_paper(wiring):
    rnn = make(wiring=wiring, return_state=True)
    output, scores, state = rnn(X, MEMORY, mask=MASK, memory_mask=MEMORY_MASK, return_attention_scores=True)
    for b in range(2):
        seen, (*written, end) = MASK[b].sum(), loop(rnn, b, MASK[b])
        for got, expected in zip((output, scores), written):
            np.testing.assert_allclose(numpy(got)[b, :seen], expected, atol=1e-5)
            assert (numpy(got)[b, seen:] == 0).all()
        np.testing.assert_allclose(numpy(state["cell"][0])[b], end, atol=1e-5)


@each
def test_steps_equal_the_call_and_a_call_resumes_from_the_state_of_a_step(cell, attention, wiring):
    rnn = make(cell, attention, wiring, return_state=True)
    whole = rnn(X, MEMORY, memory_lengths=LENGTHS, return_attention_scores=True)
    *first, state = in_steps(rnn, until=2)
    *second, state = rnn(X[:, 2:], MEMORY, memory_lengths=LENGTHS, initial_state=state, return_attention_scores=True)
    for got, *parts in zip(whole, first, second):
        np.testing.assert_allclose(numpy(got), np.concatenate([*map(numpy, parts)], 1), atol=1e-5)
    keras.tree.assert_same_structure(whole[-1], state)
    for a, b in zip(keras.tree.flatten(whole[-1]), keras.tree.flatten(state)):
        np.testing.assert_allclose(numpy(a), numpy(b), atol=1e-5)


def test_states_of_the_cell_as_initial_state():
    rnn, h = make("lstm", wiring="luong"), [random(2, 4, seed=8), random(2, 4, seed=9)]
    for given in (h, tuple(h)):
        state = rnn.start(rnn.project_memory(MEMORY, lengths=LENGTHS), given)
        expected = in_steps(rnn, state)[0]
        got = rnn(X, MEMORY, memory_lengths=LENGTHS, initial_state=given)
        np.testing.assert_allclose(numpy(got), expected, atol=1e-5)
    assert np.abs(expected - in_steps(rnn)[0]).max() > 1e-2


def test_without_sequences_the_last_unpadded_output_is_returned():
    every, last = make(), make(return_sequences=False)
    expected = numpy(every(X, MEMORY, mask=MASK))
    np.testing.assert_allclose(numpy(last(X, MEMORY, mask=MASK)), expected[[0, 1], [1, 3]], atol=1e-6)
    np.testing.assert_allclose(numpy(last(X, MEMORY)), numpy(every(X, MEMORY))[:, -1], atol=1e-6)


def test_keras_masks_are_used_and_combined_with_lengths():
    rnn, tokens = make(), np.where(MEMORY_MASK, 3, 0)
    x = keras.layers.Masking()(ops.convert_to_tensor(np.where(MASK[..., None], X, 0)))
    memory = keras.layers.Embedding(9, 6, mask_zero=True)(tokens)
    expected = numpy(rnn(X, numpy(memory), mask=MASK, memory_mask=MEMORY_MASK))
    output = rnn(x, memory)
    np.testing.assert_allclose(numpy(output), expected, atol=1e-5)
    assert numpy(output._keras_mask).tolist() == MASK.tolist()
    shorter = np.array([2, 2], "int32")
    narrowed = numpy(rnn(X, MEMORY, memory_mask=MEMORY_MASK, memory_lengths=shorter))
    np.testing.assert_allclose(narrowed, numpy(rnn(X, MEMORY, memory_lengths=shorter)), atol=1e-6)


# Each wiring eager, against finite differences, and on one compiled path: loops are slow to compile.
@pytest.mark.parametrize(
    ("wiring", "how"),
    sorted(
        {
            (wiring, how)
            for wiring, way in (("search", 1), ("luong", -1))
            for how in (COMPILED[0], COMPILED[way % len(COMPILED)])
        }
    ),
)
def test_gradients_of_the_memory_are_the_same_on_every_path(wiring, how):
    rnn, rise = make(wiring=wiring), random(2, 4, 10 if wiring == "search" else 9, seed=3)

    def function(x, memory):
        return rnn(x, memory, memory_mask=ops.convert_to_tensor(MEMORY_MASK))

    value, (dx, d_memory) = value_and_gradients(function, [X, MEMORY], rise, how)
    if how != COMPILED[0]:
        eager, gradients = value_and_gradients(function, [X, MEMORY], rise)
        for a, b in zip((value, dx, d_memory), (eager, *gradients)):
            np.testing.assert_allclose(a, b, atol=1e-5)
        return
    expected = np.stack([loop(rnn, b, np.ones(4, bool))[0] for b in range(2)])
    np.testing.assert_allclose(value, expected, atol=1e-5)
    assert np.abs(d_memory[~MEMORY_MASK]).max() == 0 and np.abs(d_memory[MEMORY_MASK]).min() > 0
    h = 1e-2
    for array, gradient, at in ((X, dx, (0, 1, 2)), (MEMORY, d_memory, (1, 2, 3))):
        moved = []
        for s in (h, -h):
            arrays = [a.copy() for a in (X, MEMORY)]
            arrays[0 if array is X else 1][at] += s
            moved.append(np.sum(numpy(function(*map(ops.convert_to_tensor, arrays))) * rise))
        np.testing.assert_allclose(gradient[at], (moved[0] - moved[1]) / (2 * h), rtol=2e-2, atol=2e-3)


def test_dropout_of_cells_is_new_at_every_call_and_off_at_inference():
    for cell in (
        keras.layers.LSTMCell(4, dropout=0.5, seed=1),
        keras.layers.StackedRNNCells([keras.layers.GRUCell(8, dropout=0.5, recurrent_dropout=0.5, seed=1)]),
    ):
        rnn = noisy(AttentionRNN(cell, BahdanauAttention(5), input_feeding=True), X, MEMORY)
        still = numpy(rnn(X, MEMORY))
        first, second = (numpy(rnn(X, MEMORY, training=True)) for _ in range(2))
        assert np.abs(first - still).max() > 1e-3 and np.abs(first - second).max() > 1e-3
        np.testing.assert_allclose(numpy(rnn(X, MEMORY)), still, atol=1e-6)


def test_noise_of_an_attention_is_new_at_every_call_and_off_at_inference():
    attention = BahdanauMonotonicAttention(5, mode="recursive", sigmoid_noise=2.0, seed=1)
    rnn = noisy(AttentionRNN(GatedRecurrentCell(4), attention, input_feeding=True), X, MEMORY)
    first, second = (numpy(rnn(X, MEMORY, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-4
    np.testing.assert_allclose(numpy(rnn(X, MEMORY)), numpy(rnn(X, MEMORY, training=False)), atol=1e-6)


@pytest.mark.parametrize("input_feeding", [False, True])
def test_the_attentional_layer_may_be_a_sequential(input_feeding):
    dense = keras.layers.Dense(5, "tanh"), keras.Sequential([keras.layers.Dense(5, "tanh")])
    one, row = (
        AttentionRNN(GatedRecurrentCell(4), BahdanauAttention(5), input_feeding=input_feeding, attentional_layer=layer)
        for layer in dense
    )
    expected = numpy(noisy(one, X, MEMORY)(X, MEMORY))
    assert tuple(row(X[:, :0], MEMORY).shape) == (*X.shape[:1], 0, 5)
    row.set_weights(one.get_weights())
    np.testing.assert_allclose(numpy(row(X, MEMORY)), expected, atol=1e-6)


def test_states_have_symbolic_shapes():
    rnn = make("stacked", "coverage", "luong", return_state=True)
    output, scores, state = rnn(keras.Input((None, 3)), keras.Input((None, 6)), return_attention_scores=True)
    assert tuple(output.shape) == (None, None, 9) and tuple(scores.shape) == (None, None, None)
    assert [tuple(x.shape) for x in keras.tree.flatten(state["cell"])] == [(None, 8), (None, 8), (None, 4)]
    assert tuple(state["fed"].shape) == (None, 9) and tuple(state["attention"].shape) == (None, None)


@pytest.mark.parametrize("input_feeding", [False, True])
def test_dropout_in_the_cell_and_after_it_in_a_stateless_call(input_feeding):
    cell, after = keras.layers.GRUCell(4, dropout=0.4, seed=1), keras.layers.Dropout(0.5, seed=2)
    rnn = AttentionRNN(cell, BahdanauAttention(5), input_feeding=input_feeding, attentional_layer=after)
    x, memory = random(2, 5, 3), random(2, 7, 6)
    rnn(x, memory)
    state = [w.value for w in rnn.trainable_variables], [w.value for w in rnn.non_trainable_variables]
    given = [keras.ops.convert_to_tensor(a) for a in (x, memory)]
    stateless, _ = rnn.stateless_call(*state, *given, training=True)
    trained = numpy(rnn(x, memory, training=True))
    assert 0.3 < np.mean(trained == 0) < 0.7
    np.testing.assert_allclose(numpy(stateless), trained, atol=1e-6)


def test_compute_output_shape_includes_the_state():
    cells = keras.layers.StackedRNNCells([keras.layers.LSTMCell(3), keras.layers.GRUCell(4)])
    rnn = AttentionRNN(cells, LuongAttention("general", window="local_m"), input_feeding=True, return_state=True)
    new = rnn.compute_output_shape((None, 5, 3), (None, 7, 6))
    assert not rnn.built
    state = {"cell": [[(None, 3), (None, 3)], [(None, 4)]], "attention": (None,), "fed": (None, 10)}
    assert new == ((None, 5, 10), state)
    rnn(random(2, 5, 3), random(2, 7, 6))
    assert rnn.compute_output_shape((None, 5, 3), (None, 7, 6)) == new


def test_positions_of_local_m_do_not_count_padding():
    """On either side of the inputs and of the memory; see the same test of `LuongAttention`."""
    rnn = make("gru", "local", "luong")
    alone = numpy(rnn(X[:1], MEMORY[:1]))
    for left, right in ((3, 0), (0, 2)):
        ends = ((0, 0), (left, right)), ((0, 0), (right, left + 1))
        inputs, memory = (np.pad(x[:1], (*end, (0, 0))) for x, end in zip((X, MEMORY), ends, strict=True))
        mask, memory_mask = (np.pad(np.ones((1, n), bool), end) for n, end in zip((4, 7), ends, strict=True))
        got = numpy(rnn(inputs, memory, mask=mask, memory_mask=memory_mask))
        np.testing.assert_allclose(got[mask], alone[0], atol=1e-5)


def test_zero_steps_return_zeros_and_the_initial_state():
    for sequences in (True, False):
        rnn = make("gru", "bahdanau", "luong", return_sequences=sequences, return_state=True)
        start = numpy(rnn.start(rnn.project_memory(MEMORY))["fed"])
        for mask in (None, np.ones((2, 0), bool)):
            output, scores, state = rnn(X[:, :0], MEMORY, mask=mask, return_attention_scores=True, training=True)
            assert tuple(output.shape) == ((2, 0, 9) if sequences else (2, 9)) and not numpy(output).any()
            assert tuple(scores.shape) == (2, 0, 7)
            np.testing.assert_array_equal(numpy(state["fed"]), start)


def test_negative_lengths_are_refused():
    with pytest.raises(ValueError, match=r"`memory_lengths` must be 0 or more. Received: memory_lengths=\[3, -1\]"):
        make()(X, MEMORY, memory_lengths=np.array([3, -1]))
