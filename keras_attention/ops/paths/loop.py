"""The loop over tiles: some rows of the queries of some batch entries at a time."""

from dataclasses import dataclass

import keras
from keras import ops

from keras_attention.ops.paths.layout import CutsBatch
from keras_attention.ops.paths.plan import device_kind, tile_of_pairs
from keras_attention.ops.precision import itemsize
from keras_attention.ops.shapes.sizes import divide, known, lengthen, maximum, same


@dataclass(frozen=True)
class Rows(CutsBatch):
    """How [B, T, *] is cut into the tiles of `Tile`; all sizes may be scalar tensors (dynamic shapes).

    A part of one batch entry has no axis for it: `lead` is empty. Others have [batch] in front.
    """

    B: object
    T: object
    batch: object
    rows: object

    @property
    def blocks(self):
        return divide(self.T, self.rows)

    @property
    def lead(self):
        return () if same(self.batch, 1) else (self.batch,)

    def cut(self, x):
        """[B, T, *] -> [parts, blocks, *lead, rows, *], padded with zeros."""
        dims = ops.shape(x)[2:]
        x = lengthen(self._whole(x), 1, self.T, self.blocks * self.rows)
        if not self.lead:
            return ops.reshape(x, (self.B, self.blocks, self.rows, *dims))
        return ops.swapaxes(ops.reshape(x, (self.batches, self.batch, self.blocks, self.rows, *dims)), 1, 2)

    def join(self, x):
        """The inverse of `cut`."""
        x = ops.swapaxes(x, 1, 2) if self.lead else x
        dims = ops.shape(x)[3 + len(self.lead) :]
        return ops.reshape(x, (self._entries, self.blocks * self.rows, *dims))[: self.B, : self.T]

    def split(self, x):
        """[B, *] -> [parts, *lead, *]."""
        return ops.reshape(self._whole(x), (self.batches, self.batch, *ops.shape(x)[1:])) if self.lead else x

    def merge(self, x):
        """The inverse of `split`."""
        return ops.reshape(x, (self._entries, *ops.shape(x)[2:]))[: self.B] if self.lead else x

    def of_part(self, x, p):
        """The entries of part `p` of a mask [B|1, *]: [*lead|1, *]. Which of the two may be known only at run time."""
        size = ops.shape(x)[0]
        if not self.lead:
            return x[0 if size == 1 else p] if known(size) else ops.take(x, ops.minimum(p, size - 1), axis=0)
        if same(self.batches, 1) or same(size, 1):
            return x
        x = x if known(size) else ops.broadcast_to(x, (self.B, *ops.shape(x)[1:]))
        return self.split(x)[p]

    def of_block(self, x, i):
        """The rows of `x` [*lead|1, T|1, S|1] in block `i`, or its only row. Beyond T the last is repeated.

        Whether there is one row or T may be known only at run time.
        """
        if x.shape[-2] == 1:
            return x
        row = i * self.rows + ops.arange(self.rows, dtype="int32")
        return ops.take(x, ops.minimum(row, ops.shape(x)[-2] - 1), axis=-2)


def choose_rows(query, key, width, block_size, device=None):
    """`Rows` for tiles of [rows, S, width] numbers; `None` for no tiles.

    Args:
        query: [B, T, *]; none of B, T and S is 0.
        key: [B, S, *].
        width: Int: numbers per query and key.
        block_size: Rows per tile; 0 for no tiles; `None` to choose.
        device: See `device_kind`.
    """
    (B, T), S = ops.shape(query)[:2], ops.shape(key)[1]
    tile = tile_of_pairs(B, T, S, width, device_kind(device), block_size, itemsize(query))
    return None if tile is None else Rows(B, T, tile.batch, tile.rows)


def fold(slots, sums, totals, at, ranges=None, overlap=False):
    """Runs a tile for each block of rows of each part: batch entries, or heads of them.

    The result of a tile replaces its queries, so that each tile waits for the one before: TensorFlow would otherwise
    hold the tiles of ten iterations at once.

    Args:
        slots: [parts, blocks, ..., rows, W]: the queries, to be replaced.
        sums: List of [parts, ...]: sums over the tiles of a part.
        totals: List of tensors: sums over all tiles.
        at: `at(part)` returns a function for each range, `tile(block, slot [..., rows, W], sums, totals)`, which
            returns the new slot, sums (of the part) and totals.
        ranges: List of (first, last): blocks first <= block < last. `None`: one range of all blocks.
        overlap: Whether parts may be computed at the same time: faster on several cores, with a tile of each held.

    Returns:
        slots, sums and totals.
    """
    ranges = [(0, ops.shape(slots)[1])] if ranges is None else ranges

    def part(p, state):
        done, folded, totals = state
        # Whoever reads the state waits for the part before; the arguments are there from the start.
        queries, before = (slots, sums) if overlap else (done, folded)
        state = queries[p], [x[p] for x in before], totals
        for (first, last), tile in zip(ranges, at(p), strict=True):
            state = repeat(first, last, _step(tile), state)
        row, parts, totals = state
        return replace(done, p, row), [replace(x, p, part) for x, part in zip(folded, parts, strict=True)], totals

    return repeat(0, ops.shape(slots)[0], part, (slots, sums, totals))


def repeat(first, last, body, state):
    """`state = body(i, state)` for first <= i < last; a single one without a loop.

    TensorFlow is told the number of iterations: without it, XLA cannot differentiate the loop.
    """
    if known(first, last) and last - first == 1:
        return body(first, state)
    if keras.backend.backend() != "tensorflow":
        return ops.fori_loop(first, last, body, state)

    def step(i, state):
        return i + 1, body(i, state)

    most = maximum(1, last - first)  # XLA keeps what a gradient needs in a list, which takes an entry even if unused
    return ops.while_loop(lambda i, _: i < last, step, (first, state), maximum_iterations=most)[1]


def _step(tile):
    def step(i, state):
        row, sums, totals = state
        done, sums, totals = tile(i, row[i], sums, totals)
        return replace(row, i, done), sums, totals

    return step


def added(sums, more):
    """The sums with one more term each."""
    return [a + b for a, b in zip(sums, more, strict=True)]


def replace(x, index, update):
    """x with `update` in place of x[index]."""
    if x.shape[0] == 1:
        return ops.expand_dims(update, 0)
    return ops.scatter_update(x, ops.reshape(ops.cast(index, "int32"), (1, 1)), ops.expand_dims(update, 0))


def widen(x, width, size=None):
    """Zeros at the end of the last axis, of this size if it is not static, up to `width`."""
    size = x.shape[-1] if size is None else size
    return lengthen(x, len(x.shape) - 1, size, width)
