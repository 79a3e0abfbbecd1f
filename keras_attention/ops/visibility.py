"""All masks combined into one boolean mask [.., T, S], for attention that does not use `attend`."""

import math

from keras import ops

from keras_attention.ops.masks import both, in_band
from keras_attention.ops.shapes.axes import free_axes


def visible_pairs(axes, query_dims, key_dims, *, mask, query_mask, key_mask, causal=False, query_offset=0, window=None):
    """Combines the masks of `attend_axes`: True marks keys that a query may attend to.

    Args:
        axes: Tuple of ints: the attended axes.
        query_dims, key_dims: [B, *middle] of the queries and of the keys, static or dynamic.
        mask: Boolean, broadcastable to the scores [B, *free, N, *query axes, *key axes]; of a lower rank, the axes
            just before the query axes are the missing ones (the heads first). Or `None`.
        query_mask, key_mask: Boolean [B, *middle], or `None`.
        causal, query_offset, window: As of `attend`.

    Returns:
        Boolean [B or 1, *free or 1, *query axes, *key axes], with N or 1 after the free axes if `mask` has heads;
        `None` if every key is visible.
    """
    free, attended = free_axes(len(query_dims), axes), len(axes)
    visible = None
    if query_mask is not None:
        visible = _spread(ops.transpose(query_mask, (*free, *axes)), len(free) + attended, attended)
    if key_mask is not None:
        visible = both(visible, _spread(ops.transpose(key_mask, (*free, *axes)), len(free), attended))
    if causal or window is not None:
        lengths = [[dims[i] for i in axes] for dims in (query_dims, key_dims)]
        T, S = (ops.arange(math.prod(dims), dtype="int32") for dims in lengths)
        band = in_band(ops.expand_dims(T, 1) + ops.cast(query_offset, "int32"), ops.expand_dims(S, 0), causal, window)
        visible = both(visible, ops.reshape(band, (*(1,) * len(free), *lengths[0], *lengths[1])))
    if mask is None:
        return visible
    while len(mask.shape) < len(free) + 2 * attended:
        mask = _spread(mask, len(mask.shape) - 2 * attended, 1)
    if visible is not None and len(mask.shape) > len(visible.shape):
        visible = _spread(visible, len(free), 1)
    return both(visible, mask)


def _spread(x, axis, number):
    """Inserts `number` axes of size 1 before `axis`."""
    for _ in range(number):
        x = ops.expand_dims(x, axis)
    return x
