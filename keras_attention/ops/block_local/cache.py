"""Cached steps of causal block-local attention, for generation.

A cache has [B, R, X] slots. Of an image they are its pixels, R = Y. Of a sequence (X = 1) they are a ring that is as
long as the reach of a query, whatever the length: position t lies in slot t % R, over a position that no later
query sees. A step writes one slot and reads those of one memory: its cost does not grow with the length.
"""

import numpy as np
from keras import ops

from keras_attention.ops.attention import attend_unchecked
from keras_attention.ops.block_local.masks import sees
from keras_attention.ops.masks import both
from keras_attention.ops.paths.loop import replace
from keras_attention.ops.require import is_int


def ring_length(blocks, max_length):
    """Number of cache slots for a sequence of up to `max_length` positions."""
    return min(max_length, blocks.dilation[0] * (blocks.query[0] + blocks.memory[0]))


def attend_cached(rows, cache, index, blocks, coordinates):
    """Writes new positions into the cache and attends, one position after the other.

    Args:
        rows: {"query": [B, t, N, H], "key": [B, t, N, H], "value": [B, t, N, V], "mask": boolean [B, t]}.
        cache: {"key": [B, R, X, N, H], "value": [B, R, X, N, V], "mask": boolean [B, R, X]}.
        index: Int or integer scalar tensor: index of the first new position in the generation order.
        blocks: `Blocks`, causal.
        coordinates: Function from an index to (row, column, number of rows).

    Returns:
        context [B, t, N, V], cache.
    """
    index = int(index) if is_int(index) else ops.cast(index, "int32")
    if rows["query"].shape[1] == 0:
        return rows["value"], cache
    if rows["query"].shape[1] == 1:
        return _step(rows, cache, coordinates(index), blocks)
    rows = {name: ops.expand_dims(ops.swapaxes(x, 0, 1), 2) for name, x in rows.items()}

    def step(i, state):
        contexts, cache = state
        context, cache = _step({name: x[i] for name, x in rows.items()}, cache, coordinates(index + i), blocks)
        return replace(contexts, i, context), cache

    contexts = ops.zeros_like(rows["value"])
    contexts, cache = ops.fori_loop(0, ops.shape(contexts)[0], step, (contexts, cache))
    return ops.swapaxes(contexts[:, :, 0], 0, 1), cache


def _step(rows, cache, coordinates, blocks):
    """`attend_cached` of one position."""
    y, x, height = coordinates
    B, R, X = ops.shape(cache["mask"])
    slot = ops.stack([ops.cast(n, "int32") for n in (y % R, x)])
    slots = ops.concatenate([ops.expand_dims(ops.arange(B, dtype="int32"), 1), ops.broadcast_to(slot, (B, 2))], axis=1)
    cache = {name: ops.scatter_update(c, slots, ops.cast(rows[name][:, 0], c.dtype)) for name, c in cache.items()}
    key_y, key_x = (
        (n // d // size * size + offset) * d + n % d
        for n, d, size, offset in zip((y, x), blocks.dilation, blocks.query, _memory(blocks), strict=True)
    )
    inside = both(both(key_y >= 0, key_y < height), both(key_x >= 0, key_x < X))
    visible = both(inside, sees((y, x), (key_y, key_x), blocks))
    slots = key_y % R * X + ops.clip(key_x, 0, X - 1)
    seen = {name: ops.take(ops.reshape(c, (B, R * X, *c.shape[3:])), slots, axis=1) for name, c in cache.items()}
    mask, real = ops.expand_dims(both(visible, seen["mask"]), 1), rows["mask"]
    return attend_unchecked(rows["query"], seen["key"], seen["value"], mask=mask, query_mask=real), cache


def _memory(blocks):
    """Rows and columns of the keys that a causal block sees, relative to its start; each int32 [keys]."""
    (qh, qw), (fh, fw) = blocks.query, blocks.memory
    rows, columns = np.mgrid[-fh:qh, -fw : qw + fw].astype("int32")
    seen = (rows < 0) | (columns < qw)
    return ops.convert_to_tensor(rows[seen]), ops.convert_to_tensor(columns[seen])
