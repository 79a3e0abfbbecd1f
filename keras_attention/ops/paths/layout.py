"""How [B, T, N, H] is cut into the tiles of blockwise attention, and put together again.

    p     part: one key/value head of one batch entry; there are P = B * K
    i     block of query rows; `blocks` of them, `rows` positions each
    M     rows of a tile = G * rows: the query heads that share a key/value head are stacked

Letters: B batch, T queries, S keys, N heads, K key/value heads, G = N // K groups, D = T + S - 1 distances.
"""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.shapes.sizes import minimum, same


@dataclass(frozen=True)
class Layout:
    """Sizes of the tiles. `B`, `T`, `S`, `rows` and `blocks` may be scalar tensors (dynamic shapes). All but `rows` and
    `blocks` may be 0, so that shapes are written out: a -1 in a reshape is ambiguous in an empty tensor.
    """

    B: object
    T: object
    S: object
    kv_heads: int  # K
    groups: int  # G
    rows: object
    blocks: object

    @property
    def parts(self):
        """P."""
        return self.B * self.kv_heads

    @property
    def padding(self):
        """Rows beyond T that fill the last block."""
        return self.blocks * self.rows - self.T

    def queries(self, x):
        """[B, T, N, H] -> [P, blocks, M, H], padded with zero rows."""
        x = ops.pad(x, ((0, 0), (0, self.padding), (0, 0), (0, 0)))
        x = ops.reshape(x, (self.B, self.blocks, self.rows, self.kv_heads, self.groups, x.shape[-1]))
        x = ops.transpose(x, (0, 3, 1, 4, 2, 5))
        return ops.reshape(x, (self.parts, self.blocks, self.groups * self.rows, x.shape[-1]))

    def unqueries(self, x):
        """The inverse of `queries`: [P, blocks, M, V] -> [B, T, N, V]."""
        size = x.shape[-1]
        x = ops.reshape(x, (self.B, self.kv_heads, self.blocks, self.groups, self.rows, size))
        x = ops.transpose(x, (0, 2, 4, 1, 3, 5))
        x = ops.reshape(x, (self.B, self.blocks * self.rows, self.kv_heads * self.groups, size))
        return x[:, : self.T]

    def keys(self, x):
        """[B, S, K, H] -> [P, H, S]."""
        x = ops.transpose(x, (0, 2, 3, 1))
        return ops.reshape(x, (self.parts, x.shape[2], self.S))

    def values(self, x):
        """[B, S, K, V] -> [P, S, V]."""
        x = ops.transpose(x, (0, 2, 1, 3))
        return ops.reshape(x, (self.parts, self.S, x.shape[-1]))

    def dims(self, x):
        """The dimensions of a mask or bias. Unknown ones, which may be 1 at run time, count as full; `slot` handles an
        unknown batch."""
        full = (None, self.kv_heads * self.groups, self.T, self.S)
        dims = list(ops.shape(x))
        for axis in (1,) if len(dims) == 3 else (1, 2, 3):
            dims[axis] = full[axis] if x.shape[axis] is None else dims[axis]
        return tuple(dims)

    def grid(self, x):
        """[B|1, N|1, T|1, S|1] -> [slots, G|1, rows|1, S|1]: a mask or a bias; tiles that share it share a slot."""
        batch, N, T, S = self.dims(x)
        x = _broadcast(x, (batch, N, T, S))
        if not same(T, 1):
            x = ops.pad(x, ((0, 0), (0, 0), (0, self.padding), (0, 0)))
        heads = (1, 1) if same(N, 1) else (self.kv_heads, self.groups)
        rows = (1, 1) if same(T, 1) else (self.blocks, self.rows)
        keys = 1 if same(S, 1) else self.S
        x = ops.transpose(ops.reshape(x, (batch, *heads, *rows, keys)), (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (batch * heads[0] * rows[0], heads[1], rows[1], keys))

    def distances(self, x):
        """[B|1, N|1, D] -> [slots, G|1, padding + D]: a bias by distance, padded for the padded rows."""
        batch, N, length = self.dims(x)
        x = _broadcast(x, (batch, N, length))
        slots, groups = (batch, 1) if same(N, 1) else (batch * self.kv_heads, self.groups)
        width = self.blocks * self.rows + self.S - 1
        return ops.reshape(ops.pad(x, ((0, 0), (0, 0), (width - length, 0))), (slots, groups, width))

    def slot(self, dims, p, i):
        """The slot of the tile (p, i), for a mask or bias of these `dims` (three: a bias by distance)."""
        batch = 0 if same(dims[0], 1) else minimum(p // self.kv_heads, dims[0] - 1)
        slot = batch if same(dims[1], 1) else batch * self.kv_heads + p % self.kv_heads
        return slot if len(dims) == 3 or same(dims[2], 1) else slot * self.blocks + i

    def distance_range(self, i, start, columns):
        """Start and width in `distances`: those of block `i` to `columns` keys from `start`."""
        return (self.blocks - 1 - i) * self.rows + start, self.rows + columns - 1


def _broadcast(x, dims):
    return ops.broadcast_to(x, dims) if None in tuple(x.shape)[1:] else x
