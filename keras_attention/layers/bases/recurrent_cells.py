"""Support for any Keras cell in `AttentionRNN`: sizes, states, dropout and input projections before the loop."""

import contextlib
import inspect

import keras
from keras import ops, tree


def require_cell(cell):
    """Returns `cell`, deserialized if a config; raises unless it is a Keras cell."""
    if isinstance(cell, dict):
        cell = keras.saving.deserialize_keras_object(cell)
    # An RNN layer has a `state_size`, too.
    if not callable(cell) or not hasattr(cell, "state_size") or hasattr(cell, "return_sequences"):
        raise ValueError(
            "`cell` must be a cell as for `keras.layers.RNN`, which runs one step: called on (inputs, states), with a "
            f"`state_size` (`GRUCell` and not `GRU`). Received: cell={cell!r}"
        )
    return cell


def output_size(cell):
    """Number of output features of a cell."""
    size = getattr(cell, "output_size", None)
    return tree.flatten(cell.state_size)[0] if size is None else size


def first_state(cell, states):
    """The first state (or state size) of a cell, of the top cell if stacked: h of an LSTM."""
    stacked = isinstance(cell, keras.layers.StackedRNNCells)
    return tree.flatten(states[-1] if stacked else states)[0]


def initial_states(cell, batch):
    """Initial states of a cell, a nest of [B, ...]."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch)
    return tree.map_structure(lambda size: ops.zeros((batch, size), dtype=cell.compute_dtype), cell.state_size)


def pack_states(states, like):
    """`states` in the structure and dtypes of `like`; raises if they do not fit."""
    flat, old = tree.flatten(states), tree.flatten(like)
    shapes = [tuple(x.shape) for x in flat], [tuple(x.shape) for x in old]
    fits = len(flat) == len(old) and all(
        len(a) == len(b) and all(None in (i, j) or i == j for i, j in zip(a, b)) for a, b in zip(*shapes)
    )
    if not fits:
        raise ValueError(
            f"`initial_state` must be the states of the cell, {shapes[1]}, or a state that `AttentionRNN` returned. "
            f"Received: shapes {shapes[0]}"
        )
    return tree.pack_sequence_as(like, [ops.cast(x, y.dtype) for x, y in zip(flat, old)])


class CellInput:
    """Runs a cell on [x; fed], where all x are known before the loop and each `fed` only at its step.

    A cell with `projection` and `advance` (see `GatedRecurrentCell`) gets all x projected at once, before the loop; any
    other cell gets them concatenated.

    Args:
        cell: The cell, built.
        size: Number of features of x.
        training: As in `call`.
    """

    def __init__(self, cell, size, training):
        self.cell = cell
        takes_training = "training" in inspect.signature(cell.call).parameters
        self.training = {"training": training} if takes_training else {}
        self.splits = hasattr(cell, "projection") and hasattr(cell, "advance")
        if self.splits:
            self.ahead = cell.projection(0, size)
            self.later = cell.projection(size)

    def prepare(self, x):
        """[B, T, D] -> the `x` of `__call__`, for all steps."""
        return self.ahead(x) if self.splits else x

    def __call__(self, x, fed, states):
        """The output and the states after one step. `fed` is [B, F], or `None`."""
        if self.splits:
            return self.advance(x, None if fed is None else self.later(fed), states)
        inputs = x if fed is None else ops.concatenate([x, ops.cast(fed, x.dtype)], axis=-1)
        output, new = self.cell(inputs, states, **self.training)
        return output, tree.pack_sequence_as(states, tree.flatten(new))

    def advance(self, x, fed, states):
        """As `__call__`, with `fed` already projected: only for a cell with `projection` and `advance`."""
        h = self.cell.advance(x if fed is None else x + fed, tree.flatten(states)[0])
        return h, tree.pack_sequence_as(states, [h])


@contextlib.contextmanager
def dropout_masks(cell, inputs, states, training):
    """Samples the dropout masks of Keras's cells before the loop: all steps share them, and JAX cannot sample inside.

    Args:
        cell: The cell.
        inputs: [B, D], the input of a step.
        states: Its states.
        training: Whether to apply dropout.
    """
    droppers = []
    if training:
        _draw(cell, inputs, states, droppers)
    try:
        yield
    finally:
        for dropper in droppers:
            dropper.reset_dropout_mask()
            dropper.reset_recurrent_dropout_mask()


def _draw(cell, inputs, states, droppers):
    if isinstance(cell, keras.layers.StackedRNNCells):
        for inner, inner_states in zip(cell.cells, states):
            _draw(inner, inputs, inner_states, droppers)
            inputs, _ = inner(inputs, inner_states)
    elif hasattr(cell, "get_dropout_mask"):
        droppers.append(cell)
        cell.get_dropout_mask(inputs)
        cell.get_recurrent_dropout_mask(tree.flatten(states)[0])
