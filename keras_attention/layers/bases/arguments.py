"""Call arguments as users write them: Python lists, NumPy arrays, NumPy numbers and tensors of another device."""

import keras
import numpy as np
from keras import ops

# Arguments that are nests by their meaning: a list in their place may hold tensors.
NESTS = ("cache", "initial_state", "states", "start_index")


def standardize(x, name):
    """A list of numbers as an array, and a NumPy number as a Python number; all else as it is.

    Keras takes a list for a nest of call arguments, and makes a tensor of a NumPy int, whose value is then unknown.
    A tensor of PyTorch comes to the device of the weights: Keras's operations bring it there, Python's do not.

    Args:
        x: What was given for an argument.
        name: The argument's name.
    """
    if isinstance(x, np.generic) or (isinstance(x, np.ndarray) and x.ndim == 0):
        return x.item()
    if keras.backend.backend() == "torch" and ops.is_tensor(x):
        return ops.convert_to_tensor(x)
    if not isinstance(x, (list, tuple)):
        return x
    if name == "start_index":  # of an image: two indices
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
    """Raises if `x` is a list of tensors in the place of one tensor.

    Args:
        x: What was given for an argument.
        name: The argument's name.
        inputs: Names of the arguments that are inputs of the layer.
        layer: What the layer is called.
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
