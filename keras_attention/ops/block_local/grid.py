"""Layout of images as tiles of block-local attention, and back.

    plane   one head of one image, and one residue of the dilation: [U, V] positions
    part    `planes` of one image, or of `batch` images each; there are P of them
    tile    th x tw positions: one block of queries, or several small ones, M = th * tw; its memory has W positions
    strip   the rows of tiles that are computed at a time, of one part: an item
    halo    what a tile, or a strip, sees beyond itself: fh rows above and, unless causal, below; fw columns each side

A sequence is an image of one column. Tensors of an item have [*lead] in front: [planes], or [batch, planes].
"""

import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_attention.ops.block_local.masks import Blocks, sees
from keras_attention.ops.block_local.windows import add_strips, add_windows, windows
from keras_attention.ops.masks import NEGATIVE
from keras_attention.ops.paths.plan import device_kind, tile_of_strips
from keras_attention.ops.precision import itemsize
from keras_attention.ops.shapes.sizes import divide, same

# Positions of a tile: smaller blocks are merged, because small products are slow.
TILE_POSITIONS = 32


@dataclass(frozen=True)
class Grid:
    """Sizes; those that follow from the size of the image may be scalar tensors."""

    blocks: Blocks
    B: object
    Y: object
    X: object
    heads: int
    tile: tuple  # (th, tw)
    rows: object  # of tiles in a strip
    strips: object
    columns: object  # of tiles
    parts: object
    batch: object  # images of a part; of 1, its planes may be those of several
    planes: object  # of an image, or of a part

    @classmethod
    def of(cls, query, blocks, device=None):
        """The grid for queries [B, Y, X, N, H], as the plan of the device cuts them."""
        (B, Y, X), N = ops.shape(query)[:3], query.shape[3]
        tile, (dy, dx) = _tile(blocks), blocks.dilation
        U, V = (divide(size, d) for size, d in zip((Y, X), blocks.dilation, strict=True))
        rows, columns = divide(U, tile[0]), divide(V, tile[1])
        up, down = _halo(blocks)[0]
        keys = (tile[0] + up + down) * (tile[1] + sum(_halo(blocks)[1]))
        logits = columns * (tile[0] * tile[1] * keys)  # of a row of tiles of a plane
        # A strip has at least as many rows as its halo.
        least = -(-(up + down) // tile[0])
        plan = tile_of_strips(B, N, dy * dx, rows, least, logits, device_kind(device), itemsize(query))
        one = same(plan.batch, 1)
        parts = B * (N * dy * dx) // plan.heads if one else divide(B, plan.batch)
        strips = divide(rows, plan.rows)
        return cls(blocks, B, Y, X, N, tile, plan.rows, strips, columns, parts, plan.batch, plan.heads)

    @property
    def items(self):
        """How many strips of parts there are."""
        return self.parts * self.strips

    @property
    def logits(self):
        """How many logits there are, those of padding too."""
        (th, tw), (vertical, horizontal) = self.tile, (sum(halo) for halo in self.halo)
        above, beside = self._seen
        keys = above * (tw + horizontal) + (th + vertical - above) * beside
        return self.items * math.prod(self.lead) * self.rows * self.columns * th * tw * keys

    @property
    def lead(self):
        """Axes of an item in front of its tiles or positions."""
        return (self.planes,) if same(self.batch, 1) else (self.batch, self.planes)

    @property
    def step(self):
        """Rows of positions in a strip."""
        return self.rows * self.tile[0]

    @property
    def halo(self):
        """((up, down), (left, right)) of a tile."""
        return _halo(self.blocks)

    def queries(self, x):
        """[B, Y, X, N, H] -> [items, *lead, tiles, M, H]."""
        x, k = self._planes(x), len(self.lead)
        size, (th, tw) = x.shape[-1], self.tile
        x = ops.reshape(x, (self.parts, *self.lead, self.strips, self.rows, th, self.columns, tw, size))
        x = ops.transpose(x, (0, 1 + k, *range(1, 1 + k), 2 + k, 4 + k, 3 + k, 5 + k, 6 + k))
        return ops.reshape(x, (self.items, *self.lead, self.rows * self.columns, th * tw, size))

    def unqueries(self, x):
        """The inverse of `queries`."""
        size, (th, tw), k = x.shape[-1], self.tile, len(self.lead)
        x = ops.reshape(x, (self.parts, self.strips, *self.lead, self.rows, self.columns, th, tw, size))
        x = ops.transpose(x, (0, *range(2, 2 + k), 1, 2 + k, 4 + k, 3 + k, 5 + k, 6 + k))
        (dy, dx), U, V = self.blocks.dilation, self.strips * self.step, self.columns * tw
        x = ops.reshape(x, (self._images, self.heads, dy, dx, U, V, size))
        x = ops.transpose(x, (0, 4, 2, 5, 3, 1, 6))
        x = ops.reshape(x, (self._images, U * dy, V * dx, self.heads, size))
        return x[: self.B, : self.Y, : self.X]

    def keys(self, x, fill=0.0):
        """[B, Y, X, N, H] -> [P, *lead, U + halo, V + halo, H], with `fill` outside of the image."""
        around = ((0, 0),) * (1 + len(self.lead))
        return ops.pad(self._planes(x, fill), (*around, *self.halo, (0, 0)), constant_values=fill)

    def strip(self, x, item):
        """The part of `keys` that the queries of an item may see: [*lead, step + halo, V + halo, H]."""
        part, strip = item // self.strips, item % self.strips
        size = (1, *self.lead, self.step + sum(self.halo[0]), *ops.shape(x)[-2:])
        return ops.slice(x, (part, *[0] * len(self.lead), strip * self.step, 0, 0), size)[0]

    def add_strips(self, x):
        """The transpose of `strip`: sums [items, *lead, step + halo, V + halo, H] into the planes of `keys`."""
        k = len(self.lead)
        x = ops.reshape(x, (self.parts, self.strips, *ops.shape(x)[1:]))
        x = ops.transpose(x, (0, *range(2, 2 + k), 1, *range(2 + k, 5 + k)))
        return add_strips(x, 1 + k, sum(self.halo[0]))

    def memories(self, x):
        """Strip [*lead, step + halo, V + halo, H] -> [*lead, tiles, W, H]: the memory of each tile."""
        size, k = x.shape[-1], len(self.lead)
        x = windows(x, k, self.rows, self.tile[0], sum(self.halo[0]))
        if self._narrow:
            return ops.reshape(x, (*self.lead, self.rows, -1, size))
        x = ops.swapaxes(windows(x, k + 2, self.columns, self.tile[1], sum(self.halo[1])), k + 1, k + 2)
        above, beside = self._seen
        parts = [x[..., :above, :, :], x[..., above:, :beside, :]]
        dims = (*self.lead, self.rows * self.columns, -1, size)
        parts = [ops.reshape(part, dims) for part in parts if 0 not in part.shape]
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-2)

    def add_memories(self, x):
        """The transpose of `memories`."""
        (th, tw), (vertical, horizontal) = self.tile, (sum(halo) for halo in self.halo)
        size, k = x.shape[-1], len(self.lead)
        if self._narrow:
            return add_windows(ops.reshape(x, (*self.lead, self.rows, th + vertical, 1, size)), k, th, vertical)
        above, beside = self._seen
        cut = above * (tw + horizontal)
        dims = (*self.lead, self.rows, self.columns)
        top = ops.reshape(x[..., :cut, :], (*dims, above, tw + horizontal, size))
        rest = ops.reshape(x[..., cut:, :], (*dims, th + vertical - above, beside, size))
        rest = ops.pad(rest, ((0, 0),) * (k + 3) + ((0, tw + horizontal - beside), (0, 0)))
        x = ops.swapaxes(ops.concatenate([top, rest], axis=k + 2), k + 1, k + 2)
        return add_windows(add_windows(x, k + 2, tw, horizontal), k, th, vertical)

    def penalty(self, dtype):
        """[M, W]: 0 where a query sees a position of its tile's memory, far below zero elsewhere; `None`: all 0."""
        if not self.blocks.causal and self.tile == self.blocks.query:
            return None
        (th, tw), ((up, down), (left, right)) = self.tile, self.halo
        rows, columns = (m.reshape(-1, 1) for m in np.mgrid[:th, :tw])
        key_rows, key_columns = np.mgrid[-up : th + down, -left : tw + right]
        above, beside = self._seen
        seen = (np.expand_dims(np.arange(th + up + down), 1) < above) | (np.arange(tw + left + right) < beside)
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

    @property
    def _images(self):
        """B, or more, of zeros, that fill the last part."""
        return self.B if same(self.batch, 1) or same(self.parts, 1) else self.parts * self.batch

    def _planes(self, x, fill=0.0):
        """[B, Y, X, N, H] -> [P, *lead, U, V, H], padded to whole strips and parts."""
        (dy, dx), N, size = self.blocks.dilation, self.heads, x.shape[-1]
        U, V = self.strips * self.step, self.columns * self.tile[1]
        more = self._images - self.B, U * dy - self.Y, V * dx - self.X
        x = ops.pad(x, [*((0, n) for n in more), (0, 0), (0, 0)], constant_values=fill)
        x = ops.transpose(ops.reshape(x, (self._images, U, dy, V, dx, N, size)), (0, 5, 2, 4, 1, 3, 6))
        return ops.reshape(x, (self.parts, *self.lead, U, V, size))


def _halo(blocks):
    (up, side), causal = blocks.memory, blocks.causal
    return (up, 0 if causal else up), (side, side)


def _tile(blocks):
    """(th, tw): blocks merged along the rows until a tile is not too small, nor its memory many times as high."""
    (qh, qw), (up, down) = blocks.query, _halo(blocks)[0]
    least = max(-(-TILE_POSITIONS // qw), (up + down) // 4)
    return max(1, -(-least // qh)) * qh, qw
