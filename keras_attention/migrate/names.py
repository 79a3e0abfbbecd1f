"""Weights by the names that tensorflow-addons gave them.

A name is a path, `attention_wrapper/BahdanauAttention/attention_v:0`, and its beginning depends on where the layer
stood, so that a weight is looked for by how its name ends.
"""

import numpy as np


def by_path(weights):
    """`{name: array}` as `{path: NumPy array}`: a path is the tuple of the name's parts, without TensorFlow's `:0`."""
    if not hasattr(weights, "items"):
        raise ValueError(
            "`weights` must be a mapping of names to arrays: {w.name: w.numpy() for w in old_layer.weights}. "
            f"Received: weights of type {type(weights).__name__}"
        )
    # The second is what tf.train.load_checkpoint adds.
    return {_path(name): np.asarray(array) for name, array in weights.items()}


def find(weights, *endings, optional=False):
    """The array whose path ends with one of `endings`, each such as `"memory_layer/kernel"`; the first that is there.

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
    """The array called `name` in the same place as `landmark`; or, where the layers have names, that at `ending`.

    tensorflow-addons builds the projection of the query within the attention, whose name it then bears.
    """
    named = find(weights, ending, optional=True)
    if named is not None:
        return named
    for path in weights:
        if path[-1] == landmark and (*path[:-1], name) in weights:
            return weights[(*path[:-1], name)]
    raise ValueError(f"`weights` must have a `{name}` beside `{landmark}`. Received: {names(weights)}")


def names(weights):
    """The names of the weights with their shapes, for an error."""
    return ", ".join(f"{'/'.join(path)} {array.shape}" for path, array in weights.items())


def _path(name):
    if isinstance(name, tuple):
        return name
    name = name.partition("/.ATTRIBUTES/")[0]
    return tuple(name.partition(":")[0].split("/"))
