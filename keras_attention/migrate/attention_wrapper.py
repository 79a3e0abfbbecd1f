"""Conversion of `tfa.seq2seq.AttentionWrapper` to `layers.AttentionRNN`."""

from typing import Any

import keras

from keras_attention.layers import AttentionRNN
from keras_attention.migrate.memory_attention import any_attention, is_of_attention
from keras_attention.migrate.names import by_path, find, names
from keras_attention.types import Weights


def attention_wrapper(
    weights: Weights,
    cell: keras.Layer,
    attention_layer: keras.Layer | None = None,
    output_attention: bool = True,
    mode: str = "parallel",
    **kwargs: Any,
) -> AttentionRNN:
    r"""Converts the weights of `tfa.seq2seq.AttentionWrapper` to a `layers.AttentionRNN`.

    The wrapper is input feeding with the attention after the cell:

        h = cell([x; a before], h before);  c = attend(h);  a = attention_layer([h; c]), or c

    which is `AttentionRNN(cell, attention, order="update_look", input_feeding=True)`, with `attentional_layer` a
    `Dense` without bias, or `"context"` if there was no `attention_layer_size`. The attention and all sizes are
    inferred from the weights; those of `GRUCell` and `LSTMCell` have the same layout in Keras 2 and 3.

    The wrapper ran one step per call; `AttentionRNN` runs all steps per call, and its `step` one.
    `get_initial_state().clone(cell_state=s)` becomes `initial_state=s`. Memory and lengths are arguments of the call.
    `alignment_history` becomes `return_attention_scores=True` in the call.

    Args:
        weights: `{name: array}`: `{w.name: w.numpy() for w in wrapper.weights}`. Prefixes of the names are ignored.
        cell: A new Keras 3 cell of the same type and size: `keras.layers.LSTMCell(n)`, or `StackedRNNCells`.
        attention_layer: A new layer of the same type and size as the old `attention_layer`, if not the default.
        output_attention: Whether the output is a (`True`) or h, as in the wrapper.
        mode: For the monotonic attentions: `"recursive"`, `"parallel"` or `"hard"`, as in tensorflow-addons.
        **kwargs: Further arguments of `layers.AttentionRNN`.

    Returns:
        A built `layers.AttentionRNN`.

    Raises:
        ValueError: If a weight is missing, or the weights of `cell` have other names or shapes.

    Example:

    >>> import numpy as np
    >>> from keras_attention import migrate
    >>> sizes = {"LuongAttention/memory_layer/kernel": (9, 6), "attention_layer/kernel": (6 + 9, 8)}
    >>> sizes |= {"lstm/kernel": (3 + 8, 4 * 6), "lstm/recurrent_kernel": (6, 4 * 6), "lstm/bias": (4 * 6,)}
    >>> old = {f"attention_wrapper/{name}:0": np.ones(size) for name, size in sizes.items()}
    >>> rnn = migrate.attention_wrapper(old, keras.layers.LSTMCell(6))
    >>> output = rnn(np.ones((2, 5, 3)), np.ones((2, 7, 9)), memory_lengths=np.array([7, 4]))
    >>> tuple(output.shape)
    (2, 5, 8)
    """
    weights = by_path(weights)
    attention = any_attention(weights, mode)
    value_size = find(weights, "memory_layer/kernel").shape[0]
    of_layer = _under(weights, "attention_layer")
    of_cell = {path: w for path, w in weights.items() if path not in of_layer and not is_of_attention(path, weights)}
    fed = value_size
    if of_layer:
        fed = find(of_layer, "kernel").shape[-1]
        attention_layer = attention_layer or keras.layers.Dense(fed, use_bias=False, name="attention_layer")
    rnn = AttentionRNN(
        cell,
        attention,
        order="update_look",
        input_feeding=True,
        attentional_layer=attention_layer if of_layer else "context",
        output_attention=output_attention,
        **kwargs,
    )
    rnn.build((None, None, _input_size(of_cell) - fed), (None, None, value_size))
    _fill(getattr(cell, "cells", [cell]), of_cell, "cell")
    if of_layer:
        _fill([attention_layer], of_layer, "attention_layer")
    return rnn


def _under(weights, name):
    """The weights directly under a layer of this name."""
    return {path: w for path, w in weights.items() if path[-2:-1] == (name,)}


def _input_size(weights):
    """Input size of the (first) cell."""
    for path, array in weights.items():
        if path[-1] == "kernel":
            return array.shape[0]
    raise ValueError(f"`weights` must have the `kernel` of a cell. Received: {names(weights)}")


def _fill(layers, weights, name):
    """Assigns the weights of each old layer to a new one, by the last parts of their names."""
    groups = {}
    for path, array in weights.items():
        groups.setdefault(path[:-1], {})[path[-1]] = array
    fits = len(groups) == len(layers)
    for layer, old in zip(layers, groups.values()):
        new = {w.name: w for w in layer.weights}
        fits = fits and {n: tuple(w.shape) for n, w in new.items()} == {n: w.shape for n, w in old.items()}
        if fits:
            for key, variable in new.items():
                variable.assign(old[key])
    if not fits:
        shapes = ", ".join(f"{w.path} {tuple(w.shape)}" for layer in layers for w in layer.weights)
        raise ValueError(f"`{name}` must have weights like the old ones. Received: {shapes} for {names(weights)}")
