"""Who may be seen? Boolean masks, true = takes part, and the one formula for causality.

Letters: B batch, T queries, S keys, N heads.
"""

import keras
from keras import ops


def require_boolean(mask, name="attention_mask"):
    """Returns `mask` as a boolean tensor; refuses a floating one.

    A floating mask is the additive convention of other libraries (0 and minus infinity): cast to
    boolean it would mean the opposite, so it is an error.

    Args:
        mask: Boolean or integer tensor, or `None`.
        name: What the caller calls it, for the error.

    Raises:
        ValueError: If `mask` is floating.
    """
    if mask is None:
        return None
    mask = ops.convert_to_tensor(mask)
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(mask.dtype)):
        raise ValueError(
            f"`{name}` must be boolean or integer, true where a position takes part. An additive mask (0 and a large "
            f"negative number) goes into `attention_bias`. Received: {name}.dtype={mask.dtype}"
        )
    return ops.cast(mask, "bool")


def in_band(query_positions, key_positions, causal=False, window=None):
    """Visibility by position: causal, a window, both or neither.

    visible[t, s] = (not causal or s <= t) and (window is None or |t - s| < window)

    Args:
        query_positions: Integer tensor [T, 1]: absolute positions, `query_offset` included.
        key_positions: Integer tensor [1, S].
        causal: Whether a query sees no later key.
        window: Positive int; a query sees keys less than `window` positions away.

    Returns:
        Boolean [T, S], or `None` if everything is visible.
    """
    visible = None
    if causal:
        visible = key_positions <= query_positions
    if window is not None:
        near = ops.abs(query_positions - key_positions) < window
        visible = near if visible is None else ops.logical_and(visible, near)
    return visible


def both(a, b):
    """Logical and, in which `None` means all true."""
    if a is None:
        return b
    if b is None:
        return a
    return ops.logical_and(a, b)
