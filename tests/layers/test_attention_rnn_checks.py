"""Errors of AttentionRNN for invalid arguments and inputs."""

import keras
import numpy as np
import pytest

from keras_attention.layers import (
    AttentionRNN,
    BahdanauAttention,
    GatedRecurrentCell,
    GatedRecurrentUnit,
    LuongAttention,
)
from tests.layers.helpers import random

X, MEMORY = random(2, 5, 3), random(2, 7, 6)


def make(**kwargs):
    return AttentionRNN(GatedRecurrentCell(4), BahdanauAttention(5), **kwargs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": "look_update"}, "`order` must be one of.*order='look_update'"),
        ({"order": "look_generate_update", "input_feeding": True}, "`input_feeding` goes with `order='update_look'`"),
        ({"attentional_layer": "h"}, "`attentional_layer` must be.*'h'"),
        ({"cell": 4}, "`cell` must be a cell.*cell=4"),
        ({"cell": keras.layers.Dense(4)}, "`cell` must be a cell"),
        ({"cell": keras.layers.GRU(3)}, "`cell` must be a cell.*one step.*Received: cell=<GRU"),
        ({"cell": GatedRecurrentUnit(3)}, "`cell` must be a cell.*one step.*Received: cell=<GatedRecurrentUnit"),
        ({"attention": keras.layers.Attention()}, "`attention` must be.*without project_memory, start, step"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionRNN(**{"cell": GatedRecurrentCell(4), "attention": BahdanauAttention(5), **arguments})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"inputs": random(2, 3)}, r"`inputs` must be \[B, T, D\].*\(2, 3\)"),
        ({"memory": random(2, 6)}, r"`memory` must be \[B, S, Dv\].*\(2, 6\)"),
        ({"memory": random(3, 7, 6)}, r"same batch size.*inputs.shape=\(2, 5, 3\), memory.shape=\(3, 7, 6\)"),
        ({"mask": np.ones((2, 4), bool)}, r"`mask` must have the shape of the inputs, \[2, 5\].*\(2, 4\)"),
        ({"memory_mask": np.ones((2, 6), bool)}, r"`memory_mask` must have the shape of the memory.*\(2, 6\)"),
        ({"memory_mask": np.ones((2, 7), "float32")}, "`memory_mask` must be boolean"),
        ({"memory_lengths": np.ones((3,), "int32")}, r"`memory_lengths` must be integers \[B\].*\(3,\)"),
        ({"memory_lengths": np.ones((2, 7), "int32")}, r"`memory_lengths` must be integers \[B\].*\(2, 7\)"),
        ({"memory_lengths": np.ones((2,), "float32")}, "`memory_lengths` must be integers.*float32"),
        ({"initial_state": random(2, 3)}, "`initial_state` must be the states of the cell"),
        ({"initial_state": [random(2, 4), random(2, 4)]}, "`initial_state` must be the states of the cell"),
    ],
)
def test_bad_input(inputs, message):
    with pytest.raises(ValueError, match=message):
        make()(**{"inputs": X, "memory": MEMORY, **inputs})


def test_symbolic_inputs_are_checked_too():
    with pytest.raises(ValueError, match="`memory_mask` must have the shape of the memory"):
        make()(keras.Input((5, 3)), keras.Input((7, 6)), memory_mask=keras.Input((6,), dtype="bool"))


def test_unbuilt_layers_are_refused():
    rnn = make()
    for call in (lambda: rnn.project_memory(MEMORY), lambda: rnn.start({}), lambda: rnn.step(X[:, 0], {}, {})):
        with pytest.raises(ValueError, match="`AttentionRNN` is not yet set up"):
            call()
    with pytest.raises(ValueError, match="`BahdanauAttention` is not yet set up"):
        rnn.attention.project_memory(MEMORY)


def test_a_step_takes_one_position():
    rnn = make()
    rnn(X, MEMORY)
    memory = rnn.project_memory(MEMORY)
    for wrong in (X, X[:, 0, :2]):
        with pytest.raises(ValueError, match=r"`inputs` of a step must be \[B, 3\]"):
            rnn.step(wrong, memory, rnn.start(memory))


def test_unequal_depth_for_dot_is_refused_by_the_attention():
    with pytest.raises(ValueError, match="dot"):
        AttentionRNN(GatedRecurrentCell(4), LuongAttention("dot"))(X, MEMORY)
