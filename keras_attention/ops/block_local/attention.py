"""Block-local attention over a sequence or an image: each block of queries attends only to its memory.

Forward, for the queries Q of a tile with the keys K and values V of its memory:

    P = softmax(Q K^T + penalty),   O = P V

Backward, from dO, with P recomputed:

    dV = P^T dO,   dP = dO V^T,   dS = P * (dP - rowsum(P * dP)),   dQ = dS K,   dK = dS^T Q

as in `blockwise`, but with many tiles at once, as each sees few keys; overlapping dK and dV are summed. Keys outside of
the image and in padding are hidden by one more feature, far below zero.
"""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.attention import attend_unchecked
from keras_attention.ops.block_local.grid import Grid
from keras_attention.ops.block_local.masks import sees
from keras_attention.ops.masks import NEGATIVE
from keras_attention.ops.paths.chosen_queries import take_rows
from keras_attention.ops.paths.hashed_random import column_hashes, keep, row_hashes
from keras_attention.ops.paths.vjp import differentiable
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.shapes.axes import swap_last
from keras_attention.ops.shapes.empty import cut_filled, fill_empty
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.ops.shapes.sizes import same
from keras_attention.ops.softmax import softmax


def attend(
    query, key, value, blocks, *, mask=None, dropout=0.0, seed=None, return_scores=False, device=None, chosen=None
):
    """Block-local attention: context [B, Y, X, N, V]; with `return_scores`, also scores [B, N, Y, X, Y, X].

    Args:
        query, key, value: [B, Y, X, N, H or V].
        blocks: `Blocks`.
        mask: Boolean [B, Y, X]. True marks positions that take part; values elsewhere must be finite.
        dropout, seed: As for `attend`.
        return_scores: Whether to return the scores too.
        device: Kind of device to choose tiles for, as for `attend`.
        chosen: Integer tensor [R], positions of queries along the flattened image: the scores are those of these
            queries alone, [B, N, R, Y, X].
    """
    sizes = ops.shape(query)[:3]
    query, key, value = (fill_empty(x, 0, 1, 2) for x in (query, key, value))
    mask = None if mask is None else fill_empty(mask, 0, 1, 2)
    if return_scores:
        context, scores = _dense(query, key, value, blocks, mask, dropout, seed, chosen)
        B, *rows = sizes
        if chosen is not None:
            context = attend(query, key, value, blocks, mask=mask, dropout=dropout, seed=seed, device=device)
            rows = chosen.shape
        return cut_filled(context, *sizes), cut_filled(scores, B, scores.shape[1], *rows, *sizes[1:])
    dtype = value.dtype
    query, key, value = at_least_float32(query, key, value)
    grid = Grid.of(query, blocks, device)
    dims = (*ops.shape(query)[:-1], 1)
    query = ops.concatenate([query * query.shape[-1] ** -0.5, ops.ones(dims, query.dtype)], axis=-1)
    hidden = ops.zeros(dims, key.dtype)
    hidden = hidden if mask is None else ops.where(ops.expand_dims(mask, (-2, -1)), hidden, NEGATIVE)
    key = ops.concatenate([grid.keys(key), grid.keys(hidden, fill=NEGATIVE)], axis=-1)
    penalty = grid.penalty(query.dtype)
    items = Items(grid, penalty, dropout, *(_hashes(grid, dims, seed) if dropout else ()))
    context = grid.unqueries(_attend(grid.queries(query), key, grid.keys(value), items))
    # A position that takes part always sees itself.
    return ops.cast(cut_filled(zero_padding(context, mask), *sizes), dtype)


@dataclass(frozen=True)
class Items:
    """What the tiles of an item need; not differentiated."""

    grid: Grid
    penalty: object  # of the grid, the same for every item
    dropout: float
    rows: object = None  # hashes, as the grid's queries
    columns: object = None  # hashes, as the grid's keys

    def run(self, item, query, key, value):
        """Context [*lead, tiles, M, V] of one item, and its vector-Jacobian product with the strips."""
        grid = self.grid
        query = query[item]
        keys, values = (grid.memories(grid.strip(x, item)) for x in (key, value))
        logits = ops.matmul(query, swap_last(keys))
        probs = softmax(logits if self.penalty is None else logits + self.penalty)
        kept = self._kept(item, probs)

        def vjp(d_context):
            d_probs = self._kept(item, ops.matmul(d_context, swap_last(values)))
            d_logits = probs * (d_probs - ops.sum(probs * d_probs, axis=-1, keepdims=True))
            d_keys, d_values = ops.matmul(swap_last(d_logits), query), ops.matmul(swap_last(kept), d_context)
            return ops.matmul(d_logits, keys), grid.add_memories(d_keys), grid.add_memories(d_values)

        return ops.matmul(kept, values), vjp

    def _kept(self, item, x):
        if not self.dropout:
            return x
        columns = self.grid.memories(self.grid.strip(self.columns, item))
        scaled = x * (1 / (1 - self.dropout))
        return ops.where(keep(self.rows[item], swap_last(columns), self.dropout), scaled, ops.zeros_like(x))


def _attend(query, key, value, items):
    """Attention in tiles, with the backward pass above, on queries, keys and values in the layout of `Grid`."""
    grid = items.grid

    def forward(*inputs):
        return _each(grid.items, lambda i: items.run(i, *inputs)[0])

    def backward(inputs, _, d_context):
        d_query, d_key, d_value = _each(grid.items, lambda i: items.run(i, *inputs)[1](d_context[i]))
        return d_query, grid.add_strips(d_key), grid.add_strips(d_value)

    return differentiable(forward, backward)(query, key, value)


def _each(items, function):
    """Stacks `function` of each item."""
    if same(items, 1):
        result = function(0)
        return [ops.expand_dims(x, 0) for x in result] if isinstance(result, tuple) else ops.expand_dims(result, 0)
    return ops.map(function, ops.arange(items, dtype="int32"))


def _hashes(grid, dims, seed):
    """Hashes of the dense path's rows and columns, in the layout of the grid's queries and keys."""
    B, Y, X, N = dims[:4]
    batch = ops.reshape(ops.arange(B, dtype="int32"), (-1, 1, 1, 1, 1))
    head = ops.expand_dims(ops.arange(N, dtype="int32"), 1)
    position = ops.reshape(ops.arange(Y * X, dtype="int32"), (Y, X, 1, 1))
    rows, columns = row_hashes(seed, batch, head, position), column_hashes(seed, position)
    return grid.queries(rows), grid.keys(ops.broadcast_to(columns, dims), fill=0)


def _dense(query, key, value, blocks, mask, dropout, seed, chosen=None):
    """Context and scores, of all queries or of chosen ones [R], from the dense mask of their pairs."""
    Y, X = ops.shape(query)[1:3]
    rows, columns = ops.expand_dims(ops.arange(Y, dtype="int32"), 1), ops.arange(X, dtype="int32")
    rows, columns = (ops.reshape(ops.broadcast_to(x, (Y, X)), (-1,)) for x in (rows, columns))
    query, key, value = (ops.reshape(x, (-1, Y * X, *x.shape[-2:])) for x in (query, key, value))
    mask = query_mask = None if mask is None else ops.reshape(mask, (-1, Y * X))
    positions, queries = (rows, columns), (Y, X)
    if chosen is not None:
        query, query_mask, queries = take_rows(query, chosen, 1), take_rows(mask, chosen, 1), chosen.shape
        rows, columns = take_rows(rows, chosen, 0), take_rows(columns, chosen, 0)
    visible = sees((ops.expand_dims(rows, 1), ops.expand_dims(columns, 1)), positions, blocks)
    masks = {"mask": visible, "query_mask": query_mask, "key_mask": mask}
    context, scores = attend_unchecked(query, key, value, return_scores=True, dropout=dropout, seed=seed, **masks)
    context = ops.reshape(context, (-1, *queries, *context.shape[-2:]))
    return context, ops.reshape(scores, (-1, scores.shape[1], *queries, Y, X))
