"""Softmax with a mask."""

import keras
from keras import ops

from keras_attention.ops.masks import hide, require_boolean, revive
from keras_attention.ops.precision import computed_in
from keras_attention.ops.require import is_int
from keras_attention.types import Tensor


def masked_softmax(logits: Tensor, mask: Tensor | None = None, axis: int = -1) -> Tensor:
    """Softmax over `axis` in which masked entries are exactly zero.

    Args:
        logits: Floating tensor of any shape. float16 and bfloat16 are normalized in float32.
        mask: Boolean or integer, broadcastable to `logits`. True marks positions that take part. A row with no true
            entry yields zeros, never a uniform or NaN row.
        axis: The axis that sums to one.

    Returns:
        Tensor shaped like `logits`, of its dtype.

    Raises:
        ValueError: If `mask` is floating or does not broadcast to `logits`, or there is no such axis.

    Example:

    >>> import numpy as np
    >>> from keras_attention.ops import masked_softmax
    >>> ops.convert_to_numpy(masked_softmax(ops.zeros((1, 3)), np.array([True, True, False]))).tolist()
    [[0.5, 0.5, 0.0]]
    """
    logits, mask = ops.convert_to_tensor(logits), require_boolean(mask, "mask")
    _check(logits, mask, axis)
    dtype = logits.dtype
    logits = ops.cast(logits, computed_in(logits))
    if mask is None:
        return ops.cast(softmax(logits, axis), dtype)
    logits, alive = revive(hide(logits, mask), axis)
    # Without this, a fully masked row would be uniform: it would attend to padding.
    return ops.cast(ops.where(alive, softmax(logits, axis), 0.0), dtype)


def softmax(logits, axis=-1):
    """Softmax without Keras's warning for an axis of one entry; an axis of none is returned unchanged."""
    if logits.shape[axis] == 0:
        return logits
    if logits.shape[axis] == 1:
        return ops.exp(logits - logits)
    return ops.softmax(logits, axis=axis)


def sinking_softmax(logits, sinks=None):
    """Softmax over the last axis; with `sinks`, a logit per row for no key, that takes part in the sum alone.

        probs: exp(logits) / (sum of exp(logits) + exp(sinks)) = softmax(logits) * sigmoid(logsumexp(logits) - sinks)

    Args:
        logits: [..., S].
        sinks: Broadcastable to [..., 1], or `None`.
    """
    probs = softmax(logits)
    if sinks is None or logits.shape[-1] == 0:
        return probs
    return probs * ops.sigmoid(ops.logsumexp(logits, axis=-1, keepdims=True) - sinks)


def capped(logits, cap=None):
    """`cap * tanh(logits / cap)`, between -cap and cap; the logits without one."""
    return logits if cap is None else cap * ops.tanh(logits / cap)


def _check(logits, mask, axis):
    rank = len(logits.shape)
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(logits.dtype)):
        raise ValueError(f"`logits` must be floating. Received: logits.dtype={logits.dtype}")
    if not is_int(axis) or not -rank <= axis < rank:
        raise ValueError(
            f"`axis` must be an axis of `logits`. Received: axis={axis!r}, logits.shape={tuple(logits.shape)}"
        )
    if mask is None:
        return
    fits = len(mask.shape) <= rank and all(
        a in (1, b, None) or b is None for a, b in zip(mask.shape[::-1], logits.shape[::-1])
    )
    if not fits:
        raise ValueError(
            "`mask` must broadcast to the shape of `logits`. "
            f"Received: mask.shape={tuple(mask.shape)}, logits.shape={tuple(logits.shape)}"
        )
