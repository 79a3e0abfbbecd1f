"""Shared parts of the tensorflow-addons scripts: sizes, noise, cells with attention."""

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

B, T, S = 2, 5, 7
INPUT, MEMORY, CELL, UNITS = 3, 9, 6, 4
LENGTHS = np.array([7, 4], "int32")


def random(*shape, seed, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def disturb(layer, seed, scale=0.7):
    """Sets all weights to noise, so that no zero hides a branch, and returns them by name."""
    for i, weight in enumerate(layer.weights):
        weight.assign(random(*weight.shape, seed=1000 * seed + i, scale=scale))
    return weights_of(layer)


def weights_of(layer):
    named = {f"weights/{weight.name}": weight.numpy() for weight in layer.weights}
    assert len(named) == len(layer.weights), "two weights have one name"
    return named


def cell(kind):
    layers = tf.keras.layers
    return {
        "gru": lambda: layers.GRUCell(CELL),
        "gru_reset_before": lambda: layers.GRUCell(CELL, reset_after=False),
        "lstm": lambda: layers.LSTMCell(CELL),
        "stacked": lambda: layers.StackedRNNCells([layers.LSTMCell(5), layers.LSTMCell(CELL)]),
    }[kind]()


def initial_cell_state(kind, rows=B):
    sizes = {"gru": [CELL], "gru_reset_before": [CELL], "lstm": [CELL] * 2, "stacked": [5, 5, CELL, CELL]}[kind]
    states = [random(B, size, seed=30 + i) for i, size in enumerate(sizes)]
    states = [tf.constant(np.repeat(state, rows // B, axis=0)) for state in states]
    if kind == "stacked":
        return (states[:2], states[2:])
    return states if kind == "lstm" else states[0]


def wrap(kind, attention, memory, lengths, **arguments):
    """An `AttentionWrapper` with its memory and random weights."""
    layer = attention()
    layer.setup_memory(memory, memory_sequence_length=lengths)
    wrapper = tfa.seq2seq.AttentionWrapper(cell(kind), layer, **arguments)
    rows = len(memory)
    wrapper(np.zeros((rows, INPUT), "float32"), wrapper.get_initial_state(batch_size=rows, dtype="float32"))
    weights = disturb(wrapper, seed=12)
    layer.setup_memory(memory, memory_sequence_length=lengths)  # again, with the new weights
    return wrapper, weights


ATTENTIONS = {
    "bahdanau": lambda: tfa.seq2seq.BahdanauAttention(UNITS),
    "bahdanau_normalized": lambda: tfa.seq2seq.BahdanauAttention(UNITS, normalize=True),
    "luong": lambda: tfa.seq2seq.LuongAttention(CELL),
    "luong_scaled": lambda: tfa.seq2seq.LuongAttention(CELL, scale=True),
    "bahdanau_monotonic": lambda: tfa.seq2seq.BahdanauMonotonicAttention(UNITS, mode="recursive"),
    "luong_monotonic": lambda: tfa.seq2seq.LuongMonotonicAttention(CELL, mode="parallel"),
}
