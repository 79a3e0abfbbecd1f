"""Layout of images as tiles of block-local attention, and back.

    plane   one head of one image, and one residue of the dilation: [U, V] positions; there are P of them
    tile    th x tw positions: one block of queries, or several small ones, M = th * tw; its memory has W positions
    strip   the rows of tiles that are computed at a time, of `group` planes: an item
    halo    what a tile, or a strip, sees beyond itself: fh rows above and, unless causal, below; fw columns each side

A sequence is an image of one column.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_attention.ops.block_local.masks import Blocks, sees
from keras_attention.ops.block_local.windows import add_strips, add_windows, windows
from keras_attention.ops.masks import NEGATIVE
from keras_attention.ops.paths.plan import device_kind, numbers_at_once
from keras_attention.ops.precision import itemsize
from keras_attention.ops.shapes.sizes import maximum, minimum, product, same

# Positions of a tile: smaller blocks are merged, because small products are slow.
TILE_POSITIONS = 32


@dataclass(frozen=True)
class Grid:
    """Sizes; those that follow from the size of the image may be scalar tensors."""

    blocks: Blocks
    Y: object
    X: object
    heads: int
    tile: tuple  # (th, tw)
    rows: object  # of tiles in a strip
    strips: object
    columns: object  # of tiles
    group: object  # planes of an item
    items: object

    @classmethod
    def of(cls, query, blocks):
        """The grid for queries [B, Y, X, N, H]; an item has all planes, or as many as fit into the plan's numbers."""
        most = numbers_at_once(device_kind(), itemsize(query))
        (B, Y, X), N = ops.shape(query)[:3], query.shape[3]
        tile = _tile(blocks)
        U, V = (-(-size // d) for size, d in zip((Y, X), blocks.dilation, strict=True))
        rows, columns = -(-U // tile[0]), -(-V // tile[1])
        up, down = _halo(blocks)[0]
        keys = (tile[0] + up + down) * (tile[1] + sum(_halo(blocks)[1]))
        logits = columns * (tile[0] * tile[1] * keys)  # of a row of tiles of a plane
        # At least as many rows as the halo; the remaining rows are shared among all strips.
        least = minimum(rows, maximum(-(-(up + down) // tile[0]), maximum(1, most // logits)))
        strips = rows // least
        strip = -(-rows // strips)
        planes = B * blocks.dilation[0] * blocks.dilation[1] * N
        group = _choose(product(N, rows, logits) <= most, N, 1)
        group = _choose(product(planes, rows, logits) <= most, planes, group)
        return cls(blocks, Y, X, N, tile, strip, strips, columns, group, planes // group * strips)

    @property
    def step(self):
        """Rows of positions in a strip."""
        return self.rows * self.tile[0]

    @property
    def halo(self):
        """((up, down), (left, right)) of a tile."""
        return _halo(self.blocks)

    def queries(self, x):
        """[B, Y, X, N, H] -> [items, group, tiles, M, H]."""
        x = self._planes(x)
        size, (th, tw) = x.shape[-1], self.tile
        x = ops.reshape(x, (-1, self.group, self.strips, self.rows, th, self.columns, tw, size))
        x = ops.transpose(x, (0, 2, 1, 3, 5, 4, 6, 7))
        return ops.reshape(x, (-1, self.group, self.rows * self.columns, th * tw, size))

    def unqueries(self, x):
        """The inverse of `queries`."""
        size, (th, tw) = x.shape[-1], self.tile
        x = ops.reshape(x, (-1, self.strips, self.group, self.rows, self.columns, th, tw, size))
        x = ops.transpose(x, (0, 2, 1, 3, 5, 4, 6, 7))
        (dy, dx), U, V = self.blocks.dilation, self.strips * self.step, self.columns * tw
        x = ops.reshape(x, (-1, dy, dx, self.heads, U, V, size))
        x = ops.transpose(x, (0, 4, 1, 5, 2, 3, 6))
        x = ops.reshape(x, (-1, U * dy, V * dx, self.heads, size))
        return x[:, : self.Y, : self.X]

    def keys(self, x, fill=0.0):
        """[B, Y, X, N, H] -> [P, U + halo, V + halo, H], with `fill` outside of the image."""
        return ops.pad(self._planes(x, fill), ((0, 0), *self.halo, (0, 0)), constant_values=fill)

    def strip(self, x, item):
        """The part of `keys` that the queries of an item may see: [group, step + halo, V + halo, H]."""
        group, strip = item // self.strips, item % self.strips
        size = (self.group, self.step + sum(self.halo[0]), *ops.shape(x)[2:])
        return ops.slice(x, (group * self.group, strip * self.step, 0, 0), size)

    def add_strips(self, x):
        """The transpose of `strip`: sums [items, group, step + halo, V + halo, H] into the planes of `keys`."""
        shape = ops.shape(x)
        x = ops.reshape(x, (-1, self.strips, *shape[1:]))
        x = add_strips(ops.swapaxes(x, 1, 2), 2, sum(self.halo[0]))
        return ops.reshape(x, (-1, *ops.shape(x)[2:]))

    def memories(self, x):
        """Strip [group, step + halo, V + halo, H] -> [group, tiles, W, H]: the memory of each tile."""
        group, size = ops.shape(x)[0], x.shape[-1]
        x = windows(x, 1, self.rows, self.tile[0], sum(self.halo[0]))
        if self._narrow:
            return ops.reshape(x, (group, self.rows, -1, size))
        x = ops.swapaxes(windows(x, 3, self.columns, self.tile[1], sum(self.halo[1])), 2, 3)
        above, beside = self._seen
        parts = [x[:, :, :, :above], x[:, :, :, above:, :beside]]
        dims = (group, self.rows * self.columns, -1, size)
        parts = [ops.reshape(part, dims) for part in parts if 0 not in part.shape]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=2)

    def add_memories(self, x):
        """The transpose of `memories`."""
        (th, tw), (vertical, horizontal) = self.tile, (sum(halo) for halo in self.halo)
        group, size = ops.shape(x)[0], x.shape[-1]
        if self._narrow:
            return add_windows(ops.reshape(x, (group, self.rows, th + vertical, 1, size)), 1, th, vertical)
        above, beside = self._seen
        cut = above * (tw + horizontal)
        dims = (group, self.rows, self.columns)
        top = ops.reshape(x[:, :, :cut], (*dims, above, tw + horizontal, size))
        rest = ops.reshape(x[:, :, cut:], (*dims, th + vertical - above, beside, size))
        rest = ops.pad(rest, ((0, 0),) * 4 + ((0, tw + horizontal - beside), (0, 0)))
        x = ops.swapaxes(ops.concatenate([top, rest], axis=3), 2, 3)
        return add_windows(add_windows(x, 3, tw, horizontal), 1, th, vertical)

    def penalty(self, dtype):
        """[M, W]: 0 where a query sees a position of its tile's memory, far below zero elsewhere; `None`: all 0."""
        if not self.blocks.causal and self.tile == self.blocks.query:
            return None
        (th, tw), ((up, down), (left, right)) = self.tile, self.halo
        rows, columns = (m.reshape(-1, 1) for m in np.mgrid[:th, :tw])
        key_rows, key_columns = np.mgrid[-up : th + down, -left : tw + right]
        above, beside = self._seen
        seen = (np.arange(th + up + down)[:, None] < above) | (np.arange(tw + left + right) < beside)
        # Any multiple of the dilation keeps the residue.
        dy, dx = self.blocks.dilation
        query, key = (rows * dy, columns * dx), (key_rows[seen] * dy, key_columns[seen] * dx)
        return ops.where(sees(query, key, self.blocks), ops.zeros((), dtype), NEGATIVE)

    @property
    def _narrow(self):
        """Whether the image has one column, as a sequence has."""
        return self.tile[1] == 1 and self.halo[1] == (0, 0) and same(self.columns, 1)

    @property
    def _seen(self):
        """Visible part of a tile's window: the number of full first rows, and of first columns of the other rows."""
        (th, tw), ((up, down), (left, right)) = self.tile, self.halo
        if self.blocks.causal and th == self.blocks.query[0]:
            return up, left + tw
        return th + up + down, tw + left + right

    def _planes(self, x, fill=0.0):
        """[B, Y, X, N, H] -> [P, U, V, H], padded to whole strips."""
        (dy, dx), N, size = self.blocks.dilation, self.heads, x.shape[-1]
        U, V = self.strips * self.step, self.columns * self.tile[1]
        x = ops.pad(x, ((0, 0), (0, U * dy - self.Y), (0, V * dx - self.X), (0, 0), (0, 0)), constant_values=fill)
        x = ops.transpose(ops.reshape(x, (-1, U, dy, V, dx, N, size)), (0, 2, 4, 5, 1, 3, 6))
        return ops.reshape(x, (-1, U, V, size))


def _halo(blocks):
    (up, side), causal = blocks.memory, blocks.causal
    return (up, 0 if causal else up), (side, side)


def _tile(blocks):
    """(th, tw): blocks merged along the rows until a tile is not too small, nor its memory many times as high."""
    (qh, qw), (up, down) = blocks.query, _halo(blocks)[0]
    least = max(-(-TILE_POSITIONS // qw), (up + down) // 4)
    return max(1, -(-least // qh)) * qh, qw


def _choose(condition, a, b):
    if isinstance(condition, bool):
        return a if condition else b
    return ops.where(condition, a, b)
