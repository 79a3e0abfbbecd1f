"""Validation of integer labels for losses and metrics: classes, tokens, pixel values."""

import math

from keras import ops

from keras_attention.ops.shapes.known import known_values


def require_labels(labels, name, classes):
    """Raises if the values of `labels` are known and not all whole numbers from 0 to `classes` - 1.

    In a compiled step they are not known: see `nan_unless_label`.
    """
    values = known_values(labels)
    if values is None or not values.size:
        return
    # Written so that a NaN is refused too.
    if not (values.min() >= 0 and values.max() < classes) or (values.dtype.kind == "f" and (values % 1).any()):
        raise ValueError(
            f"`{name}` must be whole numbers from 0 to {classes - 1}. "
            f"Received: values from {values.min()} to {values.max()} ({values.dtype})"
        )


def nan_unless_label(x, labels, classes):
    """`x`, with NaN where the label at the same position is not a whole number from 0 to `classes` - 1.

    A compiled step cannot raise for a label out of range; a loss of NaN shows that there was one.
    """
    labels = ops.cast(labels, "float32")  # 256 is no uint8
    ok = ops.logical_and(ops.logical_and(labels >= 0, labels < classes), labels == ops.floor(labels))
    return ops.where(ok, x, ops.cast(math.nan, x.dtype))
