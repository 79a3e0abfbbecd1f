"""Conversion of call arguments: Python lists, NumPy arrays, NumPy scalars and tensors on another device."""

import keras
import numpy as np
from keras import ops

# Arguments that are nests of tensors: a list of tensors is allowed.
NESTS = ("cache", "initial_state", "states", "start_index")


def standardize(x, name):
    """Converts a list of numbers to an array and a NumPy scalar to a Python number; leaves anything else unchanged.

    Keras treats a list as a nest of call arguments, and converts a NumPy int to a tensor, whose value is unknown in a
    graph. PyTorch tensors are moved to the device of the weights: Keras's ops do so, Python's operators do not.

    Args:
        x: The value of the argument.
        name: The argument's name.
    """
    if isinstance(x, np.generic) or (isinstance(x, np.ndarray) and x.ndim == 0):
        return x.item()
    if keras.backend.backend() == "torch" and ops.is_tensor(x):
        return ops.convert_to_tensor(x)
    if not isinstance(x, (list, tuple)):
        return x
    if name == "start_index":  # two indices for an image
        return tuple(standardize(i, name) for i in x)
    leaves = keras.tree.flatten(x)
    if not leaves or not all(_is_number(leaf) or (_is_array(leaf) and name not in NESTS) for leaf in leaves):
        return x
    try:
        array = np.asarray(x)
    except ValueError:
        array = None
    if array is None or array.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` must be a tensor, or lists of numbers of one length. Received: {name}={x!r}")
    return array


def refuse_list(x, name, inputs, layer):
    """Raises if `x` is a list of tensors where one tensor is required.

    Args:
        x: The value of the argument.
        name: The argument's name.
        inputs: Names of the arguments that are inputs of the layer.
        layer: Name of the layer's class.
    """
    if name in NESTS or not isinstance(x, (list, tuple)):
        return
    tensors = [leaf for leaf in keras.tree.flatten(x) if hasattr(leaf, "shape") and not isinstance(leaf, np.generic)]
    if any(name in inputs or not _is_array(leaf) for leaf in tensors):
        raise ValueError(
            f"`{name}` must be one tensor: `{layer}` takes its inputs one by one, `layer({', '.join(inputs)})`. "
            f"Received: {name}=a {type(x).__name__} of {len(x)}"
        )


def _is_number(x):
    return isinstance(x, (bool, int, float, np.generic))


def _is_array(x):
    return isinstance(x, np.ndarray)
