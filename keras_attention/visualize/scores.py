"""Attention scores of any `keras.Model`, without changing it."""

import contextlib
import inspect

import keras
from keras import ops

ARGUMENT = "return_attention_scores"


def attention_scores(model, inputs, **kwargs):
    """Returns the attention scores of all attention layers of a model, from one eager call.

        scores[path]: [B, N, T, S]    one entry per call of an attention layer, in the order of the calls

    An attention layer is one whose `call` takes `return_attention_scores` (`keras.layers.MultiHeadAttention`, those of
    this library, your own). Of nested ones, only the innermost are included. The model may be functional,
    `Sequential`, subclassed or nested; it is not rebuilt and not changed, also after an error.

    With `return_attention_scores`, a layer of Keras may compute its output differently (zeros instead of the mean of
    the values for a fully masked query). The layers of this library do not.

    Scores take `B * N * T * S` numbers per layer: call it on a few samples.

    Args:
        model: `keras.Model` or any `keras.Layer` that contains attention layers, or is one. Built if necessary.
        inputs: Inputs of the model: an array, or a list, tuple or dict of arrays.
        **kwargs: Further arguments of the call, such as `training` or `attention_mask`.

    Returns:
        Dict from the path of a layer (the names of the layers around it and its own, as in
        `"decoder/block_1/cross_attention"`) to its scores, a NumPy array. From the second call of a layer on, the path
        ends in `:1`, `:2` and so on.

    Raises:
        ValueError: If `model` is not a Keras model or layer, no attention layer was called, or one was called inside a
            loop that the backend compiles, where its scores cannot be read.

    Example:

    >>> import numpy as np
    >>> x = keras.Input((None, 8))
    >>> model = keras.Model(x, keras.layers.MultiHeadAttention(2, 4, name="look")(x, x))
    >>> scores = attention_scores(model, np.ones((1, 5, 8)))
    >>> {path: array.shape for path, array in scores.items()}
    {'look': (1, 2, 5, 5)}
    """
    if not isinstance(model, keras.Layer):
        raise ValueError(f"`model` must be a Keras model or layer. Received: model={model!r}")
    with _eagerly():
        if not model.built:
            # A subclassed layer may create its sub-layers in `build`.
            model(inputs, **kwargs)
        record = {}
        with contextlib.ExitStack() as wrapped:
            for path, layer in _attention_layers(model):
                wrapped.enter_context(_recording(layer, path, record))
            model(inputs, **kwargs)
    if not record:
        raise ValueError(
            f"No layer whose `call` takes `{ARGUMENT}` took part in the call of `model`. "
            f"Received: model={model.name} ({type(model).__name__})"
        )
    return {path: _to_numpy(scores, path) for path, scores in record.items()}


def _attention_layers(model):
    """Returns (path, layer) of the innermost layers that can return scores, each layer once."""
    found, seen = [], set()

    def visit(layer, path):
        seen.add(id(layer))
        before = len(found)
        for inner in _inner_layers(layer):
            if id(inner) not in seen:
                visit(inner, (*path, inner.name))
        if len(found) == before and ARGUMENT in inspect.signature(layer.call).parameters:
            found.append(("/".join(path or (layer.name,)), layer))

    visit(model, ())
    return _with_distinct_paths(found)


def _inner_layers(layer):
    """Yields the direct sub-layers of `layer`: in its attributes, and in lists, tuples and dicts of them."""
    pending = [*getattr(layer, "layers", []), *vars(layer).values()]
    while pending:
        value = pending.pop(0)
        if isinstance(value, keras.Layer):
            yield value
        elif isinstance(value, dict):
            pending = [*value.values(), *pending]
        elif isinstance(value, list | tuple | set):
            pending = [*value, *pending]


def _with_distinct_paths(found):
    """Appends `_1`, `_2` to equal paths (of layers in a list, say), as Keras does."""
    taken = set()
    for path, layer in found:
        number, distinct = 0, path
        while distinct in taken:
            number += 1
            distinct = f"{path}_{number}"
        taken.add(distinct)
        yield distinct, layer


def _recording(layer, path, record):
    """Context in which `layer` adds its scores to `record` and returns the same outputs."""
    call = layer.call
    signature = inspect.signature(call)

    def call_and_record(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        asked = bound.arguments.get(ARGUMENT, False)
        bound.arguments[ARGUMENT] = True
        output, scores, *rest = call(*bound.args, **bound.kwargs)
        name, number = path, 0
        while name in record:
            number += 1
            name = f"{path}:{number}"
        record[name] = scores
        if asked:
            return (output, scores, *rest)
        return (output, *rest) if rest else output

    return _replaced(layer, "call", call_and_record)


@contextlib.contextmanager
def _replaced(layer, name, value):
    """Context in which an attribute of `layer` has another value."""
    attributes = vars(layer)
    before = {name: attributes[name]} if name in attributes else {}
    # Not `setattr`: Keras's tracker does not allow it on a locked layer.
    attributes[name] = value
    try:
        yield
    finally:
        del attributes[name]
        attributes.update(before)


@contextlib.contextmanager
def _eagerly():
    """Context in which compiled functions run eagerly, so that their tensors can be read."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(before)
    elif backend == "jax":
        import jax

        with jax.disable_jit():
            yield
    else:
        yield


def _to_numpy(scores, path):
    try:
        return keras.tree.map_structure(ops.convert_to_numpy, scores)
    except Exception as error:
        raise ValueError(
            f"The scores of `{path}` cannot be read: the layer runs inside a loop or a function that the backend "
            "compiles (`keras.layers.TimeDistributed`, say). Call the part of the model below it instead."
        ) from error
