"""The decoders of tensorflow-addons over an `AttentionWrapper`; run by `tensorflow_addons.py`."""

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.goldens import store
from tests.goldens.tensorflow_addons_models import (
    ATTENTIONS,
    INPUT,
    LENGTHS,
    MEMORY,
    B,
    S,
    T,
    disturb,
    initial_cell_state,
    random,
    wrap,
)

VOCABULARY, START, END, LONGEST = 11, 1, 2, 12
MODELS = {
    "luong_lstm": ("lstm", "luong", {"attention_layer_size": 8}),
    "bahdanau_gru": ("gru", "bahdanau", {"output_attention": False}),
}


class Model:
    """Embedding, `AttentionWrapper` over a tiled memory, and projection to the vocabulary."""

    def __init__(self, name, beams=1):
        kind, attention, arguments = MODELS[name]
        rows = B * beams
        self.memory = random(B, S, MEMORY, seed=20)
        memory, lengths = np.repeat(self.memory, beams, axis=0), np.repeat(LENGTHS, beams)
        self.wrapper, weights = wrap(kind, ATTENTIONS[attention], memory, lengths, **arguments)
        self.embedding = random(VOCABULARY, INPUT, seed=21)
        self.output = tf.keras.layers.Dense(VOCABULARY, name="output_layer")
        self.output.build((None, self.wrapper.output_size))
        projection = disturb(self.output, seed=47)
        states = tf.nest.flatten(initial_cell_state(kind))
        self.arrays = {
            **weights,
            **{f"weights/output_layer/{name.rpartition('/')[2]}": x for name, x in projection.items()},
            **{f"initial/{i}": x for i, x in enumerate(states)},
            "embedding": self.embedding,
            "memory": self.memory,
            "lengths": LENGTHS,
        }
        self.state = self.wrapper.get_initial_state(batch_size=rows, dtype="float32")
        self.state = self.state.clone(cell_state=initial_cell_state(kind, rows))


def basic_decoder():
    cases = {}
    tokens = np.random.default_rng(23).integers(0, VOCABULARY, (B, T)).astype("int32")
    for name in MODELS:
        model = Model(name)
        for impute in (False, True):
            decoder = tfa.seq2seq.BasicDecoder(
                model.wrapper, tfa.seq2seq.TrainingSampler(), model.output, impute_finished=impute
            )
            output, state, lengths = decoder(
                model.embedding[tokens], initial_state=model.state, sequence_length=np.array([5, 3], "int32")
            )
            found = {"tokens": tokens, "logits": output.rnn_output, "sample_id": output.sample_id}
            case = f"{name}_training_imputed" if impute else f"{name}_training"
            last = {f"final/{i}": x for i, x in enumerate(tf.nest.flatten(state.cell_state))}
            cases[case] = {**model.arrays, **found, **last, "output_lengths": lengths}
        sampler = tfa.seq2seq.GreedyEmbeddingSampler()
        decoder = tfa.seq2seq.BasicDecoder(model.wrapper, sampler, model.output, maximum_iterations=LONGEST)
        starts = np.full(B, START, "int32")
        output, _, lengths = decoder(model.embedding, start_tokens=starts, end_token=END, initial_state=model.state)
        found = {"logits": output.rnn_output, "sample_id": output.sample_id, "output_lengths": lengths}
        cases[f"{name}_greedy"] = {**model.arrays, **found}
    store("basic_decoder", cases)


def beam_search():
    cases = {}
    for name in MODELS:
        for beams, penalty in ((1, 0.0), (3, 0.0), (3, 0.8), (4, 2.0)):
            model = Model(name, beams)
            decoder = tfa.seq2seq.BeamSearchDecoder(
                model.wrapper,
                beams,
                output_layer=model.output,
                length_penalty_weight=penalty,
                maximum_iterations=LONGEST,
            )
            starts = np.full(B, START, "int32")
            output, state, lengths = decoder(
                model.embedding, start_tokens=starts, end_token=END, initial_state=model.state
            )
            found = {
                "beams": beams,
                "length_penalty_weight": penalty,
                "predicted_ids": output.predicted_ids,
                "step_scores": output.beam_search_decoder_output.scores,
                "log_probs": state.log_probs,
                "beam_lengths": lengths,
            }
            cases[f"{name}_beams_{beams}_penalty_{penalty}"] = {**model.arrays, **found}
    store("beam_search", cases)
