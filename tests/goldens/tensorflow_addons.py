"""Stores inputs, weights and outputs of tensorflow-addons 0.23.0 beside this file.

It needs a separate environment with Keras 2 (commands in `README.md`).
Arrays of a case are stored as `case/name` in the .npz file, weights as `case/weights/<tensorflow-addons' name>`.
"""

import inspect
import itertools
import json

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.goldens import FOLDER, store
from tests.goldens import tensorflow_addons_decoders as decoders
from tests.goldens.tensorflow_addons_models import (
    ATTENTIONS,
    CELL,
    INPUT,
    LENGTHS,
    MEMORY,
    UNITS,
    B,
    S,
    T,
    disturb,
    initial_cell_state,
    random,
    wrap,
)

# With gaps, unlike lengths; the second masks one row fully.
MASK = np.array([[1, 1, 0, 1, 1, 0, 1], [0, 1, 1, 1, 0, 0, 0]], bool)
NOTHING = MASK & np.array([[True], [False]])


def multi_head_attention():
    query, key, value = random(B, T, 6, seed=1), random(B, S, 8, seed=2), random(B, S, 9, seed=3)
    masks = {
        "mask_2d": np.random.default_rng(4).random((T, S)) < 0.6,
        "mask_3d": np.random.default_rng(5).random((B, T, S)) < 0.6,
        "mask_4d": np.random.default_rng(6).random((B, 4, T, S)) < 0.6,
    }
    for mask in masks.values():
        mask[..., 2] = True  # no query is fully masked
    masks["nothing"] = masks["mask_3d"].copy()
    masks["nothing"][1, 3] = False  # except this one
    cases = {"plain": {}, "no_bias": {"use_projection_bias": False}, "sized": {"output_size": 10}, "two_inputs": {}}
    for case, mask in [*((case, None) for case in cases), *masks.items()]:
        layer = tfa.layers.MultiHeadAttention(head_size=3, num_heads=4, return_attn_coef=True, **cases.get(case, {}))
        inputs = [query, key] if case == "two_inputs" else [query, key, value]
        layer(inputs)
        weights = disturb(layer, seed=7)
        output, scores = layer(inputs, mask=mask)
        found = {"query": query, "key": key, "output": output, "scores": scores, **weights}
        cases[case] = {**found, **({} if case == "two_inputs" else {"value": value})}
        cases[case] |= {} if mask is None else {"mask": mask}
    store("multi_head_attention", cases)


# Attention mechanisms of recurrent networks.


def mechanisms():
    """Yields (name, class, arguments)."""
    seq2seq = tfa.seq2seq
    for normalize in (False, True):
        name = "bahdanau_normalized" if normalize else "bahdanau"
        yield name, seq2seq.BahdanauAttention, {"units": UNITS, "normalize": normalize}
    for scale in (False, True):
        name = "luong_scaled" if scale else "luong"
        yield name, seq2seq.LuongAttention, {"units": CELL, "scale": scale}
    yield "bahdanau_hardmax", seq2seq.BahdanauAttention, {"units": UNITS, "probability_fn": "hardmax"}
    for mode, more in itertools.product(("recursive", "parallel", "hard"), (False, True)):
        arguments = {"units": UNITS, "mode": mode, "normalize": more}
        name = f"{mode}_normalized" if more else mode
        yield f"bahdanau_monotonic_{name}", seq2seq.BahdanauMonotonicAttention, arguments
        arguments = {"units": CELL, "mode": mode, "scale": more}
        name = f"{mode}_scaled" if more else mode
        yield f"luong_monotonic_{name}", seq2seq.LuongMonotonicAttention, arguments


def attend(layer, queries, memory, **seen):
    """Scores and contexts of all queries, step by step."""
    layer.setup_memory(memory, **seen)
    state, scores = layer.initial_state(B, "float32"), []
    for t in range(T):
        alignments, state = layer([queries[:, t], state])
        scores.append(alignments)
    scores = np.stack(scores, axis=1)
    return scores, scores @ layer.values.numpy()


def attentions():
    queries, memory = random(B, T, CELL, seed=8), random(B, S, MEMORY, seed=9)
    seen = {
        "all": {},
        "lengths": {"memory_sequence_length": LENGTHS},
        "mask": {"memory_mask": MASK},
        "nothing": {"memory_mask": NOTHING},
    }
    cases = {
        "inputs": {"query": queries, "memory": memory, "lengths": LENGTHS, "mask": MASK, "nothing": NOTHING},
    }
    for name, make, arguments in mechanisms():
        layer = make(**arguments)
        attend(layer, queries, memory)  # builds the layer
        cases[name] = disturb(layer, seed=11)
        for how, given in seen.items():
            scores, context = attend(layer, queries, memory, **given)
            cases[name] |= {f"scores/{how}": scores, f"context/{how}": context}
    store("attentions", cases)


# AttentionWrapper, step by step.

WRAPPERS = {
    "bahdanau_gru": ("gru", "bahdanau", {}),
    "bahdanau_gru_cell_output": ("gru", "bahdanau_normalized", {"output_attention": False}),
    "bahdanau_gru_reset_before": ("gru_reset_before", "bahdanau", {"attention_layer_size": 8}),
    "luong_lstm": ("lstm", "luong_scaled", {"attention_layer_size": 8}),
    "luong_lstm_cell_output": ("lstm", "luong", {"attention_layer_size": 8, "output_attention": False}),
    "luong_lstm_context": ("lstm", "luong", {}),
    "luong_stacked": ("stacked", "luong", {"attention_layer_size": 8}),
    "bahdanau_monotonic_lstm": ("lstm", "bahdanau_monotonic", {"attention_layer_size": 8}),
    "luong_monotonic_gru": ("gru", "luong_monotonic", {"output_attention": False}),
}


def attention_wrapper():
    inputs, memory = random(B, T, INPUT, seed=13), random(B, S, MEMORY, seed=14)
    cases = {}
    for name, (kind, attention, arguments) in WRAPPERS.items():
        wrapper, weights = wrap(kind, ATTENTIONS[attention], memory, LENGTHS, **arguments)
        state = wrapper.get_initial_state(batch_size=B, dtype="float32")
        state = state.clone(cell_state=initial_cell_state(kind))
        outputs, scores = [], []
        for t in range(T):
            output, state = wrapper(inputs[:, t], state)
            outputs.append(output)
            scores.append(state.alignments)
        first = {f"initial/{i}": x for i, x in enumerate(tf.nest.flatten(initial_cell_state(kind)))}
        last = {f"final/{i}": x for i, x in enumerate(tf.nest.flatten(state.cell_state))}
        cases[name] = {
            **weights,
            **first,
            **last,
            "inputs": inputs,
            "memory": memory,
            "lengths": LENGTHS,
            "outputs": np.stack(outputs, axis=1),
            "scores": np.stack(scores, axis=1),
            "attention": state.attention,
        }
    store("attention_wrapper", cases)


def public_names():
    """The public names, all of which the migration page must list."""
    modules = {name: getattr(tfa, name) for name in ("layers", "seq2seq", "rnn")}
    found = {
        name: sorted(n for n, x in vars(module).items() if not n.startswith("_") and not inspect.ismodule(x))
        for name, module in modules.items()
    }
    (FOLDER / "tensorflow_addons.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    public_names()
    multi_head_attention()
    attentions()
    attention_wrapper()
    decoders.basic_decoder()
    decoders.beam_search()
