"""The layers in a model, and how their calls are changed for a while, without changing the model."""

import contextlib

import keras


def inner_layers(layer):
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


def with_distinct_paths(found):
    """Appends `_1`, `_2` to equal paths (of layers in a list, say), as Keras does."""
    taken = set()
    for path, layer in found:
        number, distinct = 0, path
        while distinct in taken:
            number += 1
            distinct = f"{path}_{number}"
        taken.add(distinct)
        yield distinct, layer


@contextlib.contextmanager
def replaced(layer, name, value):
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
def eagerly():
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
