"""How [B, T, N, H] is cut into the tiles of blockwise attention, and put together again.

    p     part: one key/value head of one batch entry; there are P = B * K
    i     block of query rows; `blocks` of them, `rows` positions each
    M     rows of a tile = G * rows: the query heads that share a key/value head lie below one another

Letters: B batch, T queries, S keys, N heads, K key/value heads, G = N // K groups, D = T + S - 1 distances.
"""

from dataclasses import dataclass

from keras import ops


@dataclass(frozen=True)
class Layout:
    """Sizes of the tiles. `T`, `S`, `rows` and `blocks` may be scalar tensors (dynamic shapes)."""

    T: object
    S: object
    heads: int  # K
    groups: int  # G
    rows: object
    blocks: object

    @property
    def padding(self):
        """Rows beyond T that fill the last block."""
        return self.blocks * self.rows - self.T

    def queries(self, x):
        """[B, T, N, H] -> [P, blocks, M, H], padded with zero rows."""
        x = ops.pad(x, ((0, 0), (0, self.padding), (0, 0), (0, 0)))
        x = ops.reshape(x, (-1, self.blocks, self.rows, self.heads, self.groups, x.shape[-1]))
        x = ops.transpose(x, (0, 3, 1, 4, 2, 5))
        return ops.reshape(x, (-1, self.blocks, self.groups * self.rows, x.shape[-1]))

    def unqueries(self, x):
        """The inverse of `queries`: [P, blocks, M, V] -> [B, T, N, V]."""
        size = x.shape[-1]
        x = ops.reshape(x, (-1, self.heads, self.blocks, self.groups, self.rows, size))
        x = ops.transpose(x, (0, 2, 4, 1, 3, 5))
        x = ops.reshape(x, (-1, self.blocks * self.rows, self.heads * self.groups, size))
        return x[:, : self.T]

    def keys(self, x):
        """[B, S, K, H] -> [P, H, S]."""
        x = ops.transpose(x, (0, 2, 3, 1))
        return ops.reshape(x, (-1, x.shape[2], self.S))

    def values(self, x):
        """[B, S, K, V] -> [P, S, V]."""
        x = ops.transpose(x, (0, 2, 1, 3))
        return ops.reshape(x, (-1, self.S, x.shape[-1]))

    def grid(self, x):
        """[B|1, N|1, T|1, S|1] -> [slots, G|1, rows|1, S|1]: a mask or a bias; tiles that share it share a slot."""
        _, N, T, S = x.shape
        if T != 1:
            x = ops.pad(x, ((0, 0), (0, 0), (0, self.padding), (0, 0)))
        heads = (1, 1) if N == 1 else (self.heads, self.groups)
        rows = (1, 1) if T == 1 else (self.blocks, self.rows)
        keys = 1 if S == 1 else self.S
        x = ops.transpose(ops.reshape(x, (-1, *heads, *rows, keys)), (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, heads[1], rows[1], keys))

    def distances(self, x):
        """[B|1, N, D] -> [slots, G, padding + D]: a bias by distance, with room for the padded rows."""
        x = ops.pad(x, ((0, 0), (0, 0), (self.padding, 0)))
        return ops.reshape(x, (-1, self.groups, self.padding + self.T + self.S - 1))

    def slot(self, shape, p, i):
        """Which slot belongs to the tile (p, i), for a mask or bias that had this shape (three axes: by distance)."""
        batch = 0 if shape[0] == 1 else p // self.heads
        slot = batch if shape[1] == 1 else batch * self.heads + p % self.heads
        return slot if len(shape) == 3 or shape[2] == 1 else slot * self.blocks + i

    def distance_range(self, i, start, columns):
        """Start and width, in `distances`, of those of block `i` to `columns` keys from `start`."""
        return (self.blocks - 1 - i) * self.rows + start, self.rows + columns - 1
