"""Calls a model once, eagerly, and keeps the scores of chosen layers."""

import contextlib
import functools
import inspect

import keras
from keras import ops

from keras_attention.visualize.inner_layers import eagerly, inner_layers, replaced, with_distinct_paths

ARGUMENT = "return_attention_scores"


def read(model, inputs, kwargs, choose, take, arguments=lambda layer: {}):
    """Calls a model, and returns what chosen layers return as scores.

    Args:
        model, inputs, kwargs: The model and the arguments of its call.
        choose: Function from `scored_layers` to those to read.
        take: Function (layer, path, scores) of the scores that are kept.
        arguments: Function from a layer to further arguments of its call.

    Returns:
        {path: NumPy array, or a nest of them}, one entry per call of a layer, in the order of the calls.
    """
    if not isinstance(model, keras.Layer):
        raise ValueError(f"`model` must be a Keras model or layer. Received: model={model!r}")
    with eagerly():
        if not model.built:
            # A subclassed layer may create its sub-layers in `build`.
            model(inputs, **kwargs)
        record = {}
        with contextlib.ExitStack() as wrapped:
            for path, (layer, outer) in choose(scored_layers(model)).items():
                wrapped.enter_context(_recording(layer, outer, path, record, take, arguments(layer)))
            model(inputs, **kwargs)
    return {path: _to_numpy(scores, path) for path, scores in record.items()}


def choose_layers(found, layers):
    """The entries of `scored_layers` at and below the paths `layers`; all of them if that is `None`."""
    if layers is None:
        return found
    names = [layers] if isinstance(layers, str) else list(layers)
    for name in names:
        if not any(_is_within(path, name) for path in found):
            raise ValueError(
                "`layers` must be paths of layers with scores, or of what contains them. "
                f"Received: {name!r}; there are: {', '.join(found) or 'none'}"
            )
    return {path: entry for path, entry in found.items() if any(_is_within(path, name) for name in names)}


def takes(layer, argument):
    """Whether the call of `layer` has this argument."""
    return argument in inspect.signature(layer.call).parameters


def _is_within(path, name):
    return path == name or path.startswith(f"{name}/")


def scored_layers(model):
    """Returns {path: (layer, whether it contains another)} of all layers that can return scores, each layer once."""
    found, seen = [], set()

    def visit(layer, path):
        seen.add(id(layer))
        before = len(found)
        for inner in inner_layers(layer):
            if id(inner) not in seen:
                visit(inner, (*path, inner.name))
        if takes(layer, ARGUMENT):
            found.append(("/".join(path or (layer.name,)), (layer, len(found) > before)))

    visit(model, ())
    return dict(with_distinct_paths(found))


def _recording(layer, outer, path, record, take, arguments):
    """Context in which `layer` is called with `arguments`, adds its scores to `record` and returns the same outputs.

    Of an `outer` layer the scores are those of the layers in it, if these are called.
    """
    call = layer.call
    signature = inspect.signature(call)

    @functools.wraps(call)
    def call_and_record(*args, **kwargs):
        before = len(record)
        if outer:
            output = call(*args, **kwargs)
            if len(record) > before:
                return output
        bound = signature.bind(*args, **kwargs)
        asked = bound.arguments.get(ARGUMENT, False)
        bound.arguments |= {ARGUMENT: True, **arguments}
        output, scores, *rest = call(*bound.args, **bound.kwargs)
        name, number = path, 0
        while name in record:
            number += 1
            name = f"{path}:{number}"
        record[name] = take(layer, path, scores)
        if asked:
            return (output, scores, *rest)
        return (output, *rest) if rest else output

    return replaced(layer, "call", call_and_record)


def _to_numpy(scores, path):
    try:
        return keras.tree.map_structure(ops.convert_to_numpy, scores)
    except Exception as error:
        raise ValueError(
            f"The scores of `{path}` cannot be read: the layer runs inside a loop or a function that the backend "
            "compiles (`keras.layers.TimeDistributed`, say). Call the part of the model below it instead."
        ) from error
