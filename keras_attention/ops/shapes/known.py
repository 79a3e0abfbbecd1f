"""Values of tensors that are known before a graph runs."""

import keras
import numpy as np


def known_values(x):
    """The values of `x` as a NumPy array; `None` if they are known only at run time.

    Args:
        x: Number, list, array or tensor.
    """
    if isinstance(x, keras.KerasTensor):
        return None
    try:
        return np.asarray(x)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):  # traced, or on another device
        return None
