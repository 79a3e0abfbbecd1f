"""Weights of PyTorch networks, by their paths in a model of this library.

Here kernels of dense layers and projections are [*in, *out], of convolutions [*sizes, in, out]; PyTorch's are [out, in]
and [out, in, *sizes]. Heads are the major part of an axis N H in both.
"""

import math
import re

import numpy as np


def require_mapping(weights):
    """Raises unless `weights` is a mapping."""
    if not hasattr(weights, "items"):
        raise ValueError(
            "`weights` must be a mapping of names to arrays: {k: v.cpu().numpy() for k, v in "
            f"network.state_dict().items()}}. Received: {type(weights).__name__}"
        )


def by_path(weights, path_of):
    """`{path in the model: (published name, array)}`; unknown names are kept, for `fill` to refuse.

    Args:
        weights: `{name: array}`.
        path_of: Function from a name to a path: of a fused array, `query,key,value` stands for the parts that it holds
            one behind the other, of one size.
    """
    found = {}
    for name, array in weights.items():
        for path, part in _parts(name, np.asarray(array), path_of(name)).items():
            if path in found:
                raise ValueError(f"`weights` must have one of `{found[path][0]}` and `{name}`. Received: both")
            found[path] = name, part
    return found


def _parts(name, array, path):
    """`{path: array}` of one published array."""
    fused = re.search(r"\w+(,\w+)+", path)
    if not fused:
        return {path: array}
    parts = fused[0].split(",")
    if array.ndim == 0 or len(array) % len(parts):
        raise ValueError(f"`{name}` must hold {', '.join(parts)}, of one size. Received: {array.shape}")
    return {path.replace(fused[0], part): x for part, x in zip(parts, np.split(array, len(parts)), strict=True)}


def path_in_model(name, block, layers, kinds_of):
    """The path of a weight in a model, `block_3/feed_forward/expand/kernel`; `None` if a table does not know it.

    Args:
        name: What names the weight in its block, or in the network: `intermediate.dense.weight`.
        block: The number of its block, or `None`.
        layers: `{published name of a layer: path}`.
        kinds_of: Function from this path to `{published kind: kind}`.
    """
    layer, _, kind = name.rpartition(".")
    layer = layers.get(layer)
    kind = None if layer is None else kinds_of(layer).get(kind)
    return None if kind is None else "/".join([*([] if block is None else [f"block_{block}"]), layer, kind])


def count_blocks(found):
    """The number of blocks that the paths name."""
    return 1 + max((int(n) for n in re.findall(r"\bblock_(\d+)/", "\n".join(found))), default=0)


def find(found, path):
    """The published name and the array of a path; raises if there is none."""
    if path not in found:
        names = ", ".join(sorted({name for name, _ in found.values()}))
        raise ValueError(f"`weights` must have an array for `{path}` of the model. Received: {names}")
    return found[path]


def shape_at(found, path, ndim=2):
    """The shape of the array of a path; raises if there is none, or for another number of axes."""
    name, array = find(found, path)
    if array.ndim != ndim:
        raise ValueError(f"`{name}` must have {ndim} axes. Received: {array.shape}")
    return array.shape


def fill(model, found):
    """Assigns each array of `by_path` to its variable, or raises before the first: for missing and unknown ones."""
    values, left = [], dict(found)
    for variable in model.weights:
        name, array = find(found, variable.path)
        shape = _published_shape(variable)
        if variable.path.endswith("table") and array.shape == (1, *shape):  # of positions, for a batch of one
            array = array[0]
        if array.shape != shape:
            raise ValueError(f"`{name}` must fit {shape}. Received: {array.shape}")
        kernel = variable.path.endswith("kernel")
        values.append((_turned(array) if kernel else array).reshape(variable.shape))
        left.pop(variable.path)
    if left:
        names = ", ".join(sorted({name for name, _ in left.values()}))
        raise ValueError(f"`weights` must only contain weights of the model. Received: {names}")
    model.set_weights(values)


def _published_shape(variable):
    """The shape that PyTorch's array for this variable has."""
    path, shape = variable.path, tuple(variable.shape)
    if path.endswith("attention_output/kernel"):
        return (shape[2], shape[0] * shape[1])
    if path.endswith("kernel"):
        if len(shape) == 4 or re.match("conv[^/]*/", path):
            return (*shape[:-3:-1], *shape[:-2])
        return (math.prod(shape[1:]), shape[0])
    return shape if path.endswith(("embeddings", "table", "token")) else (math.prod(shape),)


def _turned(array):
    """PyTorch's order of the axes of a kernel to Keras's."""
    return np.moveaxis(array, (0, 1), (-1, -2))
