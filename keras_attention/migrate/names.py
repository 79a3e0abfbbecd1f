"""Lookup of weights by their tensorflow-addons names.

A name is a path, `attention_wrapper/BahdanauAttention/attention_v:0`, and its beginning depends on the surrounding
layers, so weights are found by the ends of their names.
"""

import numpy as np


def by_path(weights):
    """`{name: array}` as `{path: NumPy array}`: a path is the tuple of the name's parts, without TensorFlow's `:0`."""
    if not hasattr(weights, "items"):
        raise ValueError(
            "`weights` must be a mapping of names to arrays: {w.name: w.numpy() for w in old_layer.weights}. "
            f"Received: weights of type {type(weights).__name__}"
        )
    # Without the suffix of tf.train.load_checkpoint.
    return {_path(name): np.asarray(array) for name, array in weights.items()}


def find(weights, *endings, optional=False):
    """The array whose path ends with one of `endings`, such as `"memory_layer/kernel"`; the first that exists.

    With `optional`, `None` if there is none.
    """
    for ending in endings:
        parts = _path(ending)
        found = [array for path, array in weights.items() if path[-len(parts) :] == parts]
        if len(found) > 1:
            raise ValueError(f"`weights` must have one `{ending}`. Received: {names(weights)}")
        if found:
            return found[0]
    if optional:
        return None
    raise ValueError(f"`weights` must have a `{endings[0]}`. Received: {names(weights)}")


def find_beside(weights, landmark, name, ending):
    """The array at `ending` or, if there is none, the array called `name` under the same parent as `landmark`.

    tensorflow-addons builds the query projection inside the attention, so that it has the attention's name.
    """
    named = find(weights, ending, optional=True)
    if named is not None:
        return named
    for path in weights:
        if path[-1] == landmark and (*path[:-1], name) in weights:
            return weights[(*path[:-1], name)]
    raise ValueError(f"`weights` must have a `{name}` beside `{landmark}`. Received: {names(weights)}")


def names(weights):
    """Names and shapes of the weights, for error messages."""
    return ", ".join(f"{'/'.join(path)} {array.shape}" for path, array in weights.items())


def _path(name):
    if isinstance(name, tuple):
        return name
    name = name.partition("/.ATTRIBUTES/")[0]
    return tuple(name.partition(":")[0].split("/"))
