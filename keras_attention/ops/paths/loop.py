"""Work on [B, T, ...] queries and [B, S, ...] keys, a few rows of queries of one batch entry at a time."""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.shapes.sizes import maximum, minimum

# Numbers that may be made at once, as measured (docs/benchmarks.md): all, if there are no more, or else a tile.
TILE = 2**20


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
        """Those rows of `x` [T, *] that are in block `i`, or its only row: [rows or 1, *]. Beyond T the last is taken.

        A selection: whether there is one row or T may be known only when a graph runs.
        """
        if x.shape[0] == 1:
            return x
        row = i * self.rows + ops.arange(self.rows, dtype="int32")
        return ops.take(x, ops.minimum(row, ops.shape(x)[0] - 1), axis=0)


def choose_rows(query, key, width, block_size):
    """`Rows` for tiles of [rows, S, width] numbers; `None` if all is small enough, or asked, to be made at once.

    Args:
        query: [B, T, *]; none of B, T and S is 0.
        key: [B, S, *].
        width: Int: numbers per query and key.
        block_size: Rows per tile; 0 for no tiles; `None` to choose. A tile of one row is never larger than the keys.
    """
    (B, T), S = ops.shape(query)[:2], ops.shape(key)[1]
    known = all(isinstance(n, int) for n in (B, T, S))
    small = T == 1 if isinstance(T, int) else False
    if block_size == 0 or (block_size is None and (small or (known and B * T * S * width <= TILE))):
        return None
    rows = maximum(1, minimum(T, TILE // maximum(1, S * width)) if block_size is None else minimum(T, block_size))
    return Rows(T, rows, (T + rows - 1) // rows)


def fold(slots, sums, totals, at):
    """Runs a tile for each block of rows of each batch entry.

    The result of a tile takes the place of its queries, and so every tile waits for the one before: TensorFlow would
    otherwise hold the tiles of ten iterations at once. Different entries may still overlap.

    Args:
        slots: [B, blocks, rows, W]: the queries, to be replaced.
        sums: List of [B, ...]: what the tiles of an entry add up.
        totals: List of tensors: what all tiles add up.
        at: `at(b)` returns `tile(i, slot [rows, W]) -> (slot, additions to the sums of b, additions to totals)`.

    Returns:
        slots, sums and totals.
    """

    def entry(b, state):
        slots, sums, totals = state
        tile = at(b)

        def step(i, state):
            row, parts, totals = state
            done, more, most = tile(i, row[i])
            return put(row, i, done), _add(parts, more), _add(totals, most)

        row, parts, totals = ops.fori_loop(0, ops.shape(slots)[1], step, (slots[b], [x[b] for x in sums], totals))
        return put(slots, b, row), [put(x, b, part) for x, part in zip(sums, parts, strict=True)], totals

    return ops.fori_loop(0, ops.shape(slots)[0], entry, (slots, sums, totals))


def entry(x, b):
    """Entry `b` of `x`, or its only one. Which it is may be known only when a graph runs."""
    size = ops.shape(x)[0]
    if isinstance(size, int):
        return x[0 if size == 1 else b]
    return ops.take(x, ops.minimum(b, size - 1), axis=0)


def put(x, index, update):
    """x with `update` in the place of x[index]."""
    return ops.scatter_update(x, ops.reshape(ops.cast(index, "int32"), (1, 1)), update[None])


def widen(x, width):
    """Zeros at the end of the last axis, up to `width`."""
    return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, width - x.shape[-1])])


def tensors(arrays):
    """JAX may hand the arrays of its caller to a custom gradient: NumPy's know no index that is only traced."""
    return [ops.convert_to_tensor(x) for x in arrays]


def backward_arguments(inputs, args, upstream):
    """The inputs of a custom gradient and what arrives at it, out of what the backend calls it with.

    TensorFlow and JAX pass on what arrives alone. PyTorch passes the inputs on too, and those are to be used: it ran
    the forward pass without its tape, and a second derivative would miss them.
    """
    return (inputs, args[-1]) if upstream is None else (list(args), upstream)


def _add(sums, more):
    return [a + b for a, b in zip(sums, more, strict=True)]
