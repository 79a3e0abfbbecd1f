"""Boolean attention masks, and the one formula for causality. True marks positions that take part.

Letters: B batch, T queries, S keys, N heads.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_attention.ops.require import require_bool, require_int
from keras_attention.ops.shapes.sizes import same
from keras_attention.types import Tensor

# Far below any real logit, yet far from the overflow of float32. With a bias, which may be as low, use `hide` instead.
NEGATIVE = -1e30


def require_boolean(mask: Tensor, name: str = "attention_mask") -> Tensor | None:
    """Casts a mask to boolean; raises if it is floating.

    A floating mask is the additive convention of other libraries (0 and minus infinity): cast to
    boolean it would mean the opposite, so it is an error.

    Args:
        mask: Boolean or integer tensor, or `None`.
        name: The argument's name, for the error.

    Returns:
        Boolean tensor, or `None`.

    Raises:
        ValueError: If `mask` is floating.
    """
    if mask is None:
        return None
    if isinstance(mask, np.ndarray) and mask.dtype.kind in "biu":
        # On JAX, Keras makes floats even of these where the global float type is bfloat16.
        return ops.convert_to_tensor(mask.astype("bool"), dtype="bool")
    mask = ops.convert_to_tensor(mask)
    refuse_float(mask.dtype, name)
    return ops.cast(mask, "bool")


def refuse_float(dtype, name):
    """Raises if the dtype of a mask is floating.

    Args:
        dtype: Of the mask.
        name: The argument's name.
    """
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(dtype)):
        raise ValueError(
            f"`{name}` must be boolean or integer, true where a position takes part. A mask of floats 0 and 1 becomes "
            f'one by `{name} > 0.5` or `keras.ops.cast({name}, "bool")`. An additive mask (0 and a large negative '
            f"number) belongs in `attention_bias`, where a layer takes one. Received: {name}.dtype={dtype}"
        )


def in_band(
    query_positions: Tensor, key_positions: Tensor, causal: bool = False, window: int | None = None
) -> Tensor | None:
    """Boolean mask from positions: causal, a window, both or neither.

    visible[t, s] = (not causal or s <= t) and (window is None or |t - s| < window)

    Args:
        query_positions: Integer tensor [T, 1]: absolute positions, `query_offset` included.
        key_positions: Integer tensor [S] or [1, S].
        causal: Whether a query sees no later key.
        window: Positive int; a query sees keys less than `window` positions away.

    Returns:
        Boolean [T, S], or `None` if everything is visible.
    """
    require_bool(causal, "causal")
    require_int(window, "window", optional=True)
    visible = None
    if causal:
        visible = key_positions <= query_positions
    if window is not None:
        near = ops.abs(query_positions - key_positions) < window
        visible = near if visible is None else ops.logical_and(visible, near)
    return visible


def positions(length, offset=0):
    """`length` positions from `offset` on, which may be a tensor."""
    first = ops.arange(length, dtype="int32")
    return first if same(offset, 0) else first + offset


def visible_pairs(T, S, mask, key_mask, causal, query_offset, window):
    """All masks as one, broadcastable to [B, N, T, S], or `None` if every query sees every key.

    Args:
        T, S: Lengths.
        mask: Broadcastable to [B, N, T, S], or `None`.
        key_mask: [B, S], or `None`.
        causal, query_offset, window: See `attend`.
    """
    visible = None
    if causal or window is not None:
        visible = in_band(ops.expand_dims(positions(T, query_offset), 1), positions(S), causal, window)
    return both(mask, both(visible, None if key_mask is None else ops.expand_dims(key_mask, (1, 2))))


def hide(logits, visible):
    """-inf where not visible: a selection, so that even NaN logits are hidden. `None`: all are visible."""
    return logits if visible is None else ops.where(visible, logits, -math.inf)


def revive(logits, axis=-1):
    """Replaces rows of nothing but -inf by zeros, so that their softmax is not NaN.

    Returns:
        The logits, and which rows were kept, with an axis of one; the caller zeroes the softmax of the others.
    """
    # Not `max(initial=...)`, of which Keras makes a CPU tensor on PyTorch.
    if 0 in logits.shape:
        return logits, ops.any(logits, axis=axis, keepdims=True)
    alive = ops.max(logits, axis=axis, keepdims=True) > -math.inf
    if keras.backend.backend() != "tensorflow":  # on PyTorch, `ops.maximum` turns float64 into float32
        return ops.where(alive, logits, 0.0), alive
    # A maximum, not a selection: converters to ONNX multiply by 0 what is not selected, of which -inf would be NaN.
    return ops.maximum(logits, ops.where(alive, -math.inf, ops.zeros((), logits.dtype))), alive


def band_penalty(query_positions, key_positions, causal=False, window=None, dtype="float32"):
    """`in_band` as a bias: 0 where visible, at most -1e30 elsewhere. Arithmetic is faster than a selection.

    penalty[t, s] = min(-u * (s - t), 0) if causal, + min(u * (window - 1 - |t - s|), 0) if there is a window

    The unit u = 2^100 > 1e30 is a power of two: positions may be multiplied by it, exactly, before they form [T, S].
    """
    unit = 2.0**100
    behind = ops.cast(query_positions, dtype) * unit - ops.cast(key_positions, dtype) * unit
    penalty = None
    if causal:
        penalty = ops.minimum(behind, 0.0)
    if window is not None:
        far = ops.minimum((window - 1.0) * unit - ops.abs(behind), 0.0)
        penalty = far if penalty is None else penalty + far
    return penalty


def both(a, b):
    """Logical and, in which `None` means all true."""
    if a is None:
        return b
    if b is None or a is b:
        return a
    return ops.logical_and(a, b)


def alive_rows(T, S, key_mask, causal, query_offset, window):
    """Which queries see at least one key, [B or 1, T or 1], in memory that grows with T + S; `None` if all do.

    Counts the keys that are not padding between the first and the last position that a query may see.
    """
    if key_mask is None and window is None and isinstance(query_offset, int) and query_offset >= 0:
        return None
    if key_mask is not None and window is None and not causal:
        return ops.any(key_mask, axis=1, keepdims=True)
    position = positions(T, query_offset)
    last = position if causal else ops.full((T,), S - 1, dtype="int32")
    first = ops.zeros((T,), dtype="int32")
    if window is not None:
        first = position - window + 1
        last = last if causal else position + window - 1
    first, end = ops.clip(first, 0, S), ops.clip(last + 1, 0, S)
    if key_mask is None:
        return ops.expand_dims(end > first, 0)
    real = ops.pad(ops.cumsum(ops.cast(key_mask, "int32"), axis=1), ((0, 0), (1, 0)))
    return ops.take(real, end, axis=1) > ops.take(real, first, axis=1)
