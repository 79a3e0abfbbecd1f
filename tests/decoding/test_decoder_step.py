"""The step of an `AttentionRNN`: embedding, one step of the layer, output layer."""

import keras
import numpy as np

from keras_attention import decoding, layers, migrate
from tests.backend import numpy

B, S, E, D, U, V = 2, 7, 3, 9, 6, 11
RNG = np.random.default_rng(0)
TABLE = RNG.standard_normal((V, E)).astype("float32")
MEMORY = RNG.standard_normal((B, S, D)).astype("float32")
TOKENS = np.array([4, 10])


def parts():
    rnn = layers.AttentionRNN(keras.layers.GRUCell(U), layers.BahdanauAttention(4))
    rnn.build((None, None, E), (None, None, D))
    memory = rnn.project_memory(MEMORY, lengths=np.array([S, 4]))
    return rnn, {"memory": memory, "state": rnn.start(memory)}


def test_logits_and_state_are_those_of_the_layers_in_turn():
    rnn, cache = parts()
    to_logits = keras.layers.Dense(V)
    logits, after = decoding.decoder_step(rnn, TABLE, to_logits)(TOKENS, {**cache, "more": 5}, 0)
    output, _, state = rnn.step(TABLE[TOKENS], cache["memory"], cache["state"])
    np.testing.assert_allclose(numpy(logits), numpy(to_logits(output)), atol=1e-6)
    assert after["more"] == 5 and after["memory"] is cache["memory"]
    for one, other, before in zip(*map(keras.tree.flatten, (after["state"], state, cache["state"])), strict=True):
        np.testing.assert_allclose(numpy(one), numpy(other), atol=1e-6)
        assert np.abs(numpy(one) - numpy(before)).max() > 1e-3


def test_a_step_without_an_output_layer_returns_the_output():
    rnn, cache = parts()
    embedding = keras.layers.Embedding(V, E)
    output, _ = decoding.decoder_step(rnn, embedding)(TOKENS, cache, 0)
    expected = rnn.step(embedding(TOKENS), cache["memory"], cache["state"])[0]
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-6)


def test_migrate_has_it_too():
    assert migrate.decoder_step is decoding.decoder_step
