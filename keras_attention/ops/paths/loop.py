"""The loop over tiles: a few rows of queries of one batch entry at a time."""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.shapes.sizes import known, maximum, minimum, same

# Numbers that are held at once, as measured (docs/benchmarks.md): all, if there are no more, or else a tile.
NUMBERS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Rows:
    """How T queries are cut into `blocks` of `rows`; all of them may be scalar tensors (dynamic shapes)."""

    T: object
    rows: object
    blocks: object

    def cut(self, x):
        """[B, T, *] -> [B, blocks, rows, *], padded with zeros."""
        B, _, *dims = ops.shape(x)
        x = ops.pad(x, [(0, 0), (0, self.blocks * self.rows - self.T), *[(0, 0)] * len(dims)])
        return ops.reshape(x, (B, self.blocks, self.rows, *dims))

    def join(self, x):
        """The inverse of `cut`."""
        B, _, _, *dims = ops.shape(x)
        return ops.reshape(x, (B, self.blocks * self.rows, *dims))[:, : self.T]

    def of(self, x, i):
        """The rows of `x` [T, *] in block `i`, or its only row: [rows or 1, *]. Beyond T the last is repeated.

        Whether there is one row or T may be known only at run time.
        """
        if x.shape[0] == 1:
            return x
        row = i * self.rows + ops.arange(self.rows, dtype="int32")
        return ops.take(x, ops.minimum(row, ops.shape(x)[0] - 1), axis=0)


def choose_rows(query, key, width, block_size):
    """`Rows` for tiles of [rows, S, width] numbers; `None` for no tiles.

    Args:
        query: [B, T, *]; none of B, T and S is 0.
        key: [B, S, *].
        width: Int: numbers per query and key.
        block_size: Rows per tile; 0 for no tiles; `None` to choose. One row needs no tiles.
    """
    (B, T), S = ops.shape(query)[:2], ops.shape(key)[1]
    small = same(T, 1) or (known(B, T, S) and B * T * S * width <= NUMBERS_AT_ONCE)
    if block_size == 0 or (block_size is None and small):
        return None
    rows = maximum(
        1, minimum(T, NUMBERS_AT_ONCE // maximum(1, S * width)) if block_size is None else minimum(T, block_size)
    )
    return Rows(T, rows, (T + rows - 1) // rows)


def fold(slots, sums, totals, at, ranges=None, overlap=False):
    """Runs a tile for each block of rows of each part: a batch entry, or one of its heads.

    The result of a tile replaces its queries, so that each tile waits for the one before: TensorFlow would otherwise
    hold the tiles of ten iterations at once.

    Args:
        slots: [parts, blocks, rows, W]: the queries, to be replaced.
        sums: List of [parts, ...]: sums over the tiles of a part.
        totals: List of tensors: sums over all tiles.
        at: `at(part)` returns a function for each range, `tile(block, slot [rows, W], sums, totals)`, which returns
            the new slot, sums (of the part) and totals.
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
            state = ops.fori_loop(first, last, _step(tile), state)
        row, parts, totals = state
        return replace(done, p, row), [replace(x, p, part) for x, part in zip(folded, parts, strict=True)], totals

    return ops.fori_loop(0, ops.shape(slots)[0], part, (slots, sums, totals))


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
    return ops.scatter_update(x, ops.reshape(ops.cast(index, "int32"), (1, 1)), update[None])


def entry(x, b):
    """Entry `b` of `x`, or its only one; which of the two may be known only at run time."""
    size = ops.shape(x)[0]
    if known(size):
        return x[0 if size == 1 else b]
    return ops.take(x, ops.minimum(b, size - 1), axis=0)


def widen(x, width):
    """Zeros at the end of the last axis, up to `width`."""
    return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, width - x.shape[-1])])
