"""Refusing wrong arguments by name, whatever room they are given in."""

import numpy as np


def require_choice(value, name, choices):
    """Raises unless `value` is one of `choices`, any collection."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")


def require_classes(label, num_classes):
    """Raises unless all of `label`, a NumPy array, are classes from 0 to `num_classes` - 1.

    Only arrays can be looked at: in a compiled step a class that there is not gives an error without a name
    (TensorFlow) or NaN (JAX).
    """
    if np.size(label) and (np.min(label) < 0 or np.max(label) >= num_classes):
        raise ValueError(
            f"`label` must be from 0 to {num_classes - 1} (`num_classes={num_classes}`). "
            f"Received: labels from {np.min(label)} to {np.max(label)}"
        )
