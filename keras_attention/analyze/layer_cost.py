"""The cost of a layer or a model for inputs of given shapes."""

import dataclasses
from typing import Any

import keras
from keras import tree

from keras_attention.analyze import formulas  # noqa: F401 - registers them
from keras_attention.analyze.calls import trace
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.registry import cost_of


def complexity(layer: keras.Layer, *inputs: Any, **kwargs: Any) -> Cost:
    """The cost of one forward pass of a layer or a model, from formulas; nothing is computed.

    Args:
        layer: `keras.Layer` or `keras.Model`; built if it is not yet.
        *inputs: The inputs of its call: shapes (tuples of ints, with the batch), `keras.KerasTensor`s or arrays; or
            lists, tuples and dicts of them. A shape stands for a tensor of the dtype of the model's own input, or
            else of the layer's.
        **kwargs: Further arguments of the call, such as `use_causal_mask=True`.

    Returns:
        `Cost`. Dropout is off.

    Raises:
        ValueError: If `layer` is not a Keras layer, an input has no known shape, or a layer inside of it has no formula
            (`register` adds one).

    Example: self-attention of one head of width 4 over 3 positions: four projections, then 3 * 3 * (4 + 4).

    >>> from keras_attention import layers
    >>> complexity(layers.MultiHeadAttention(1, 4), (1, 3, 4)).multiply_adds == 4 * 3 * 4 * 4 + 3 * 3 * 8
    True
    """
    if not isinstance(layer, keras.Layer):
        raise ValueError(f"`layer` must be a Keras layer or model. Received: layer={layer!r}")
    if not inputs:
        raise ValueError(f"`inputs` must be the shapes of what `{layer.name}` is called on. Received: none")
    call = trace(layer, *_symbols(layer, inputs), **kwargs)
    return dataclasses.replace(cost_of(call), parameters=layer.count_params())


def _symbols(layer, inputs):
    """The inputs with a `keras.KerasTensor` for each shape or array."""
    own = tree.flatten(getattr(layer, "inputs", None) or [])
    dtypes = iter([x.dtype for x in own])

    def replace(x):
        if isinstance(x, dict):
            return {name: replace(x[name]) for name in sorted(x)}
        if isinstance(x, list | tuple) and not _is_shape(x):
            return type(x)(replace(y) for y in x)
        return _symbol(x, next(dtypes, layer.compute_dtype))

    return [replace(x) for x in inputs]


def _is_shape(x):
    return isinstance(x, tuple) and all(isinstance(n, int) for n in x)


def _symbol(x, dtype):
    shape = x if _is_shape(x) else getattr(x, "shape", None)
    if shape is None or None in tuple(shape):
        raise ValueError(f"`inputs` must be shapes of ints, or tensors with a known shape. Received: {x!r}")
    return keras.KerasTensor(tuple(shape), dtype=getattr(x, "dtype", dtype))
