"""Longest paths against a search in the graph of positions that see one another."""

import math

import keras
import numpy as np
import pytest

from keras_attention import layers, ops
from keras_attention.analyze import complexity
from keras_attention.analyze.formulas.local import path


def longest(sees):
    """Layers until no further position is reached, and whether all are; `sees`: [positions, positions]."""
    step = np.asarray(sees, bool) | np.eye(len(sees), dtype=bool)
    reached, steps = step, 1
    while True:
        more = reached.astype("float32") @ step.astype("float32") > 0
        if (more == reached).all():
            return steps, bool(reached.all())
        reached, steps = more, steps + 1


def band(n, before, after):
    distance = np.arange(n) - np.arange(n).reshape(-1, 1)
    return (-before <= distance) & (distance <= after)


SEQUENCES = [
    (keras.layers.Conv1D(3, 3, padding="same"), band(14, 1, 1)),
    (keras.layers.Conv1D(3, 5, padding="same"), band(14, 2, 2)),
    (keras.layers.Conv1D(3, 4, padding="causal"), band(14, 3, 0)),
    (keras.layers.SeparableConv1D(3, 3, padding="same"), band(14, 1, 1)),
    (layers.MultiHeadAttention(2, 3), band(14, 14, 14)),
    (layers.MultiHeadAttention(2, 3, sliding_window=4), band(14, 3, 3)),
    (layers.LuongAttention(window="local_m", half_width=5), band(14, 5, 5)),
    (layers.LocalAttention1D(2, 3, 3, 2), ops.local_mask_1d(14, 3, 2)),
    (layers.LocalAttention1D(2, 3, 2, 5, causal=True), ops.local_mask_1d(14, 2, 5, causal=True)),
]


@pytest.mark.parametrize(("layer", "sees"), SEQUENCES)
def test_sequences(layer, sees):
    inputs = [(1, 14, 4)] * (2 if isinstance(layer, layers.LuongAttention) else 1)
    assert complexity(layer, *inputs).longest_path == longest(sees)[0]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("query", "memory"), [(3, 2), (4, 5), (5, 1), (1, 3), (14, 2)])
def test_blocks_of_sequences(query, memory, causal):
    sees = ops.local_mask_1d(14, query, memory, causal)
    assert path((14,), (query,), (memory,)) == longest(sees)[0]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("query", "memory"), [((2, 3), (1, 2)), ((1, 2), (3, 1)), ((3, 1), (2, 4))])
def test_images(query, memory, causal):
    sees = np.asarray(ops.local_mask_2d(7, 9, query, memory, causal)).reshape(63, 63)
    assert path((7, 9), query, memory) == longest(sees)[0]


def test_blocks_of_images():
    layer = layers.LocalAttention2D(2, 3, (2, 3), (1, 2), causal=True)
    assert complexity(layer, (1, 7, 9, 4)).longest_path == path((7, 9), (2, 3), (1, 2))


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv1D(3, 3, dilation_rate=2, padding="same"),
        keras.layers.Conv1D(3, 1),
        keras.layers.Dense(4),
        layers.LocalAttention1D(2, 3, 3, 0),
        layers.LocalAttention1D(2, 3, 3, 2, dilation=2),
        layers.FeedForward(5),
    ],
)
def test_positions_that_never_meet(layer):
    assert complexity(layer, (1, 14, 4)).longest_path == math.inf


def test_blocks_take_the_shortest_way_and_recurrences_every_step():
    assert complexity(layers.TransformerEncoderBlock(2, 5), (1, 14, 4)).longest_path == 1
    assert complexity(layers.SqueezeExcitation(2), (1, 14, 4)).longest_path == 1
    cost = complexity(keras.layers.Bidirectional(keras.layers.RNN(keras.layers.GRUCell(3))), (1, 14, 4))
    assert (cost.longest_path, cost.sequential_steps) == (14, 14)
    stack = keras.Sequential([keras.layers.Dense(3), keras.layers.Conv1D(3, 3, padding="same")])
    cost = complexity(stack, (1, 14, 4))
    assert (cost.longest_path, cost.sequential_steps) == (13, 2)
