"""Recurrent layers, whose steps wait for one another."""

import dataclasses

import keras
from keras import tree

from keras_attention import layers
from keras_attention.analyze.calls import itemsize, trace
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.registry import cost_of, inside, register
from keras_attention.layers.bases.recurrent_cells import output_size

# Products of [inputs, state] by [D + U, U] in one step.
_GATES = {
    keras.layers.SimpleRNN: 1,
    keras.layers.GRU: 3,
    keras.layers.LSTM: 4,
    layers.GatedRecurrentUnit: 3,
}
_CELLS = {
    keras.layers.SimpleRNNCell: 1,
    keras.layers.GRUCell: 3,
    keras.layers.LSTMCell: 4,
    layers.GatedRecurrentCell: 3,
}


def _step(gates, batch, D, U):
    return batch * gates * U * (D + U)


def _gates(layer, table):
    return next(gates for kind, gates in table.items() if isinstance(layer, kind))


def _states(layer, size, batch, steps):
    """Bytes of the states of all steps."""
    return batch * steps * size * itemsize(layer.compute_dtype)


@register(*_CELLS)
def cell(call):
    """One step: each gate multiplies the input and the state."""
    B, D = call.first
    multiply_adds = _step(_gates(call.layer, _CELLS), B, D, call.layer.units)
    return Cost(multiply_adds, 0, 1, activation_bytes=call.output_bytes)


@register(*_GATES)
def recurrence(call):
    """T steps of gates * U * (D + U)."""
    (B, T, D), layer = call.first, call.layer
    states = 2 if isinstance(layer, keras.layers.LSTM) else 1
    multiply_adds = T * _step(_gates(layer, _GATES), B, D, layer.units)
    return Cost(multiply_adds, 0, T, T, _states(layer, states * layer.units, B, T))


@register(keras.layers.RNN)
def rnn(call):
    """T steps of its cell."""
    T = call.first[1]
    return dataclasses.replace(cost_of(call.of(call.layer.cell)).times(T), longest_path=T)


@register(keras.layers.TimeDistributed)
def time_distributed(call):
    """The layer at each of T positions, which do not wait for one another."""
    B, T, *rest = call.first
    once = cost_of(_trace(call.layer.layer, (B, *rest)))  # whose `call` is called, which records nothing
    return dataclasses.replace(once.times(T), sequential_steps=once.sequential_steps)


@register(keras.layers.Bidirectional)
def bidirectional(call):
    """Both directions, side by side."""
    both = [cost_of(inner) for inner in call.inner]
    return dataclasses.replace(inside(call), sequential_steps=max(cost.sequential_steps for cost in both))


@register(layers.AttentionRNN)
def attention_rnn(call):
    """T steps of the cell, of attention over the memory, and of the attentional layer."""
    layer, (B, T, D), (_, S, V) = call.layer, call.shape("inputs"), call.shape("memory")
    search = layer.order == "look_generate_update"
    query = _query_size(layer)
    fed = V if search else _attentional_size(layer, query, V) if layer.input_feeding else 0
    attention = cost_of(_trace(layer.attention, (B, T, query), (B, S, V)))
    cell = _of_cell(layer, B, D, fed).times(T)
    if search and hasattr(layer.cell, "projection"):
        # The cell's product with the context is made of the memory, before the loop; so the mixture is 3 U wide in it.
        U = layer.cell.units
        cell += Cost(B * 3 * U * (S * V + T * S - T * V))
    attentional = Cost()
    if isinstance(layer.attentional_layer, keras.layers.Layer) and layer.output_attention:
        attentional = cost_of(_trace(layer.attentional_layer, (B * T, query + V)))
    cost = cell + attention + attentional
    steps = cell.sequential_steps + T * 2
    return dataclasses.replace(cost, sequential_steps=steps, longest_path=T)


def _of_cell(layer, B, D, fed):
    states = tree.map_structure(lambda size: keras.KerasTensor((B, size), layer.compute_dtype), layer.cell.state_size)
    return cost_of(trace(layer.cell, keras.KerasTensor((B, D + fed), layer.compute_dtype), states))


def _query_size(layer):
    if layer.order != "look_generate_update":
        return output_size(layer.cell)
    sizes = layer.cell.state_size
    last = sizes[-1] if isinstance(layer.cell, keras.layers.StackedRNNCells) else sizes
    return tree.flatten(last)[0]


def _attentional_size(layer, query, V):
    if layer.attentional_layer == "context":
        return V
    if layer.attentional_layer is None:
        return query + V
    return layer.attentional_layer.compute_output_shape((None, query + V))[-1]


def _trace(layer, *shapes):
    return trace(layer, *(keras.KerasTensor(shape, layer.compute_dtype) for shape in shapes))
