"""Pictures of recurrent layers."""

import keras
import numpy as np
from tour_drawing import heat, lines

from keras_attention import layers
from keras_attention.visualize import plot_attention

STEPS = 24


def gated_recurrent_cell():
    """States while two pulses come in."""
    cell, x = layers.GatedRecurrentCell(4), pulses()
    states, found = [np.zeros((1, 4), "float32")], []
    for t in range(STEPS):
        _, states = cell(x[:, t], states)
        states = keras.tree.flatten(states)
        found.append(np.asarray(states[0])[0])
    curves = {f"unit {unit}": values for unit, values in enumerate(np.transpose(found))}
    return lines(curves, xlabel="step: pulses at 4 and 14", ylabel="state", style=".-")


def gated_recurrent_unit():
    """Each direction remembers what it has read."""
    panels = {}
    for name, reverse in (("forward", False), ("reverse=True", True)):
        layer = layers.GatedRecurrentUnit(12, return_sequences=True, reverse=reverse)
        panels[name] = np.asarray(layer(pulses()))[0].T
    return heat(panels, xlabel="step: pulses at 4 and 14", ylabel="unit", height=2.8)


def pulses():
    x = np.zeros((1, STEPS, 3), "float32")
    x[0, 4, 0] = x[0, 14, 1] = 4
    return x


def attention_rnn():
    """Trained to write a word backwards: each step looks one letter further to the left."""
    letters, T = "aeilnoprst", 7
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, len(letters), (512, T))
    memory = keras.Input((T, len(letters) + T))
    steps = keras.Input((T, T))
    layer = layers.AttentionRNN(layers.GatedRecurrentCell(16), layers.BahdanauAttention(16))
    model = keras.Model([steps, memory], keras.layers.Dense(len(letters), "softmax")(layer(steps, memory)))
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")

    def inputs(tokens):
        positions = np.broadcast_to(np.eye(T, dtype="float32"), (len(tokens), T, T))
        return [positions, np.concatenate([np.eye(len(letters), dtype="float32")[tokens], positions], axis=-1)]

    model.fit(inputs(tokens), tokens[:, ::-1], epochs=10, verbose=0)
    word = "parties"
    x = inputs(np.array([[letters.index(letter) for letter in word]]))
    written = "".join(letters[index] for index in np.argmax(model.predict_on_batch(x)[0], axis=-1))
    _, scores = layer(*x, return_attention_scores=True)
    return plot_attention(np.asarray(scores)[0], written, word, query_title="output", key_title="memory")


PICTURES = {
    "AttentionRNN": attention_rnn,
    "GatedRecurrentCell": gated_recurrent_cell,
    "GatedRecurrentUnit": gated_recurrent_unit,
}
