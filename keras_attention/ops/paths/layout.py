"""How [B, T, N, H] is cut into the tiles of blockwise attention, and put together again.

    p     part: `batch` entries and `heads` key/value heads of each; P = batches * splits = B / batch * K / heads
    i     block of query rows; `blocks` of them, `rows` positions each
    M     rows of a tile = G * rows: the query heads that share a key/value head are stacked

A part of one head of one entry has no axes for them: its tiles are matrices. Others have [batch, heads] in front.

Letters: B batch, T queries, S keys, N heads, K key/value heads, G = N // K groups, D = T + S - 1 distances.
"""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.shapes.sizes import divide, lengthen, minimum, same


class CutsBatch:
    """Mixin of what has `B` entries in parts of `batch`, either of which may be a scalar tensor."""

    @property
    def batches(self):
        """B / batch, rounded up."""
        return divide(self.B, self.batch)

    @property
    def _entries(self):
        """Of all parts: B, or a few more."""
        return self.B if same(self.batch, 1) or same(self.batches, 1) else self.batches * self.batch

    def _whole(self, x):
        """Zeros beyond the batch [B, ...] that fill the last part."""
        return lengthen(x, 0, self.B, self._entries)


@dataclass(frozen=True)
class Layout(CutsBatch):
    """Sizes of the tiles. `B`, `T`, `S`, `rows`, `blocks` and `batch` may be scalar tensors (dynamic shapes). All but
    `rows` and `blocks` may be 0, so that shapes are written out: a -1 in a reshape is ambiguous in an empty tensor.
    """

    B: object
    T: object
    S: object
    kv_heads: int  # K
    groups: int  # G
    rows: object
    blocks: object
    batch: object = 1
    heads: int = 1  # divides K

    @property
    def splits(self):
        """K / heads."""
        return self.kv_heads // self.heads

    @property
    def parts(self):
        """P."""
        return self.batches * self.splits

    @property
    def lead(self):
        """Axes of a tile in front of its rows."""
        return () if same(self.batch, 1) and self.heads == 1 else (self.batch, self.heads)

    def queries(self, x):
        """[B, T, N, H] -> [P, blocks, *lead, M, H], padded with zero rows."""
        x, size = lengthen(self._whole(x), 1, self.T, self.blocks * self.rows), x.shape[-1]
        rows, heads = (self.blocks, self.rows), (self.splits, self.heads, self.groups)
        x = ops.reshape(x, (self.batches, self.batch, *rows, *heads, size))
        x = ops.transpose(x, (0, 4, 2, 1, 5, 6, 3, 7))
        return ops.reshape(x, (self.parts, self.blocks, *self.lead, self.groups * self.rows, size))

    def unqueries(self, x):
        """The inverse of `queries`: [P, blocks, *lead, M, V] -> [B, T, N, V]."""
        size, tile = x.shape[-1], (self.batch, self.heads, self.groups, self.rows)
        x = ops.reshape(x, (self.batches, self.splits, self.blocks, *tile, size))
        x = ops.transpose(x, (0, 3, 2, 6, 1, 4, 5, 7))
        x = ops.reshape(x, (self._entries, self.blocks * self.rows, self.kv_heads * self.groups, size))
        return x[: self.B, : self.T]

    def keys(self, x):
        """[B, S, K, H] -> [P, *lead, H, S]."""
        x = ops.reshape(self._whole(x), (self.batches, self.batch, self.S, self.splits, self.heads, x.shape[-1]))
        x = ops.transpose(x, (0, 3, 1, 4, 5, 2))
        return ops.reshape(x, (self.parts, *self.lead, x.shape[4], self.S))

    def values(self, x):
        """[B, S, K, V] -> [P, *lead, S, V]."""
        x = ops.reshape(self._whole(x), (self.batches, self.batch, self.S, self.splits, self.heads, x.shape[-1]))
        x = ops.transpose(x, (0, 3, 1, 4, 2, 5))
        return ops.reshape(x, (self.parts, *self.lead, self.S, x.shape[-1]))

    def key_mask(self, x):
        """[B, S] -> [B / batch, S], or [B / batch, batch, 1, 1, 1, S]."""
        return ops.reshape(self._whole(x), (self.batches, self.batch, 1, 1, 1, self.S)) if self.lead else x

    def dims(self, x):
        """The dimensions of a mask or bias. Unknown ones, which may be 1 at run time, count as full; `slot` handles an
        unknown batch, if a tile is of one entry or of all."""
        full = (self.B, self.kv_heads * self.groups, self.T, self.S)
        dims = list(ops.shape(x))
        whole = same(self.batch, 1) or same(self.batch, self.B)
        for axis in range(1 if whole else 0, 2 if len(dims) == 3 else 4):
            dims[axis] = full[axis] if x.shape[axis] is None else dims[axis]
        return tuple(dims)

    def grid(self, x):
        """[B|1, N|1, T|1, S|1] -> [slots, *lead|1, G|1, rows|1, S|1]: a mask or a bias; tiles that share it share a
        slot."""
        batch, N, T, S = self.dims(x)
        x = _broadcast(x, (batch, N, T, S))
        x = x if same(batch, 1) else self._whole(x)
        x = x if same(T, 1) else lengthen(x, 2, T, self.blocks * self.rows)
        (batches, batch), (splits, *heads) = self._batch(batch), self._heads(N)
        rows = (1, 1) if same(T, 1) else (self.blocks, self.rows)
        keys = 1 if same(S, 1) else self.S
        x = ops.reshape(x, (batches, batch, splits, *heads, *rows, keys))
        x = ops.transpose(x, (0, 2, 5, 1, 3, 4, 6, 7))
        lead = (batch, heads[0]) if self.lead else ()
        return ops.reshape(x, (batches * splits * rows[0], *lead, heads[1], rows[1], keys))

    def distances(self, x):
        """[B|1, N|1, D] -> [slots, *lead|1, G|1, padding + D]: a bias by distance, padded for the padded rows."""
        batch, N, length = self.dims(x)
        x = _broadcast(x, (batch, N, length))
        x = x if same(batch, 1) else self._whole(x)
        width = self.blocks * self.rows + self.S - 1
        (batches, batch), (splits, heads, groups) = self._batch(batch), self._heads(N)
        x = ops.pad(x, ((0, 0), (0, 0), (width - length, 0)))
        x = ops.transpose(ops.reshape(x, (batches, batch, splits, heads, groups, width)), (0, 2, 1, 3, 4, 5))
        lead = (batch, heads) if self.lead else ()
        return ops.reshape(x, (batches * splits, *lead, groups, width))

    def slot(self, dims, p, i):
        """The slot of the tile (p, i), for a mask or bias of these `dims` (three: a bias by distance)."""
        shared = same(dims[0], 1) or same(self.batches, 1)
        batch = 0 if shared else minimum(p // self.splits, divide(dims[0], self.batch) - 1)
        slot = batch if same(dims[1], 1) else batch * self.splits + p % self.splits
        return slot if len(dims) == 3 or same(dims[2], 1) else slot * self.blocks + i

    def distance_range(self, i, start, columns):
        """Start and width in `distances`: those of block `i` to `columns` keys from `start`."""
        return (self.blocks - 1 - i) * self.rows + start, self.rows + columns - 1

    def batch_of(self, p):
        """Indices of the entries of a part, broadcastable to [*lead, G, rows, S]."""
        first = p // self.splits * self.batch
        return first + _column(self.batch, 5) if self.lead else first

    def heads_of(self, p):
        """Indices of the query heads of a part, broadcastable to [*lead, G, rows, S]."""
        first, group = p % self.splits * self.heads, _column(self.groups, 3)
        return (first + _column(self.heads, 4) if self.lead else first) * self.groups + group

    def _batch(self, batch):
        """How the batch of a mask or bias, B or 1, is cut."""
        if same(batch, 1):
            return 1, 1
        return (1, batch) if same(self.batches, 1) else (divide(batch, self.batch), self.batch)

    def _heads(self, heads):
        """How the heads of a mask or bias, N or 1, are cut."""
        return (1, 1, 1) if same(heads, 1) else (self.splits, self.heads, self.groups)


def _column(size, rank):
    """0 to size - 1 along the first of `rank` axes."""
    return ops.reshape(ops.arange(size, dtype="int32"), (-1, *[1] * (rank - 1)))


def _broadcast(x, dims):
    return ops.broadcast_to(x, dims) if None in tuple(x.shape)[1:] else x
