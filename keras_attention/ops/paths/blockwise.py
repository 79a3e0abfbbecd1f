"""Blockwise exact attention: one tile of queries at a time, with scores recomputed in the backward pass.

Forward, for a tile of queries Q with all keys K and values V visible to them:

    P = softmax(Q K^T + bias),   O = P V

Backward, from dO, with P recomputed and delta = rowsum(dO * O):

    dV += P^T dO,   dS = P * (dO V^T - delta),   dQ = dS K,   dK += dS^T Q

With a cap c, tanh(Q K^T / c) c stands for Q K^T, and dS is multiplied by 1 - tanh^2 before the last two. With sinks s,
a row of P sums to less than 1, and ds -= (1 - rowsum(P)) * delta.

A row of P is complete in its tile, so there is no online softmax, and only O is kept ("Self-attention Does Not Need
O(n^2) Memory", Rabe and Staats, 2021, chunks queries in the same way; the backward pass is that of "FlashAttention",
Dao et al., 2022, appendix B). Memory grows with T + S; no [T, S] tensor exists.
`delta` is folded into the product as one more feature: [dO, -delta] [V, 1]^T.
"""

import functools

from keras import ops

from keras_attention.ops.masks import NEGATIVE
from keras_attention.ops.paths.layout import Layout
from keras_attention.ops.paths.loop import fold, widen
from keras_attention.ops.paths.plan import tile_of_heads
from keras_attention.ops.paths.stages import stages
from keras_attention.ops.paths.tiles import Tiles
from keras_attention.ops.paths.vjp import differentiable
from keras_attention.ops.precision import itemsize
from keras_attention.ops.shapes.axes import swap_last
from keras_attention.ops.shapes.sizes import divide, maximum


def blockwise(query, key, value, block_size, device, *, mask, key_mask, bias, sinks, **options):
    """Returns the context [B, T, N, V]; arguments as for `attend`, of one floating dtype, query scaled.

    `sinks` are [1, N, 1, 1]. `options`: causal, query_offset, window, dropout, seed, logit_cap.
    """
    (B, T), S, N, K = ops.shape(query)[:2], ops.shape(key)[1], query.shape[2], key.shape[2]
    tile = tile_of_heads(B, T, S, N, K, device, block_size, itemsize(query))
    blocks = maximum(1, divide(T, tile.rows))
    layout = Layout(B, T, S, K, N // K, tile.rows, blocks, tile.batch, tile.heads)
    if mask is None and bias is None and key_mask is not None and options["logit_cap"] is None:
        query, key, key_mask = *_mask_as_feature(query, key, key_mask), None
    tiles = Tiles(
        layout=layout,
        stages=stages(layout, *(options[name] for name in ("causal", "window", "query_offset"))),
        mask=None if mask is None else layout.grid(mask),
        mask_dims=() if mask is None else layout.dims(mask),
        key_mask=None if key_mask is None else layout.key_mask(key_mask),
        bias_dims=() if bias is None else layout.dims(bias),
        sink_dims=() if sinks is None else layout.dims(sinks),
        **options,
    )
    if bias is not None:
        bias = layout.grid(bias) if len(bias.shape) == 4 else layout.distances(bias)
    added = [x for x in (bias, None if sinks is None else layout.grid(sinks)) if x is not None]
    return layout.unqueries(_attend(layout.queries(query), layout.keys(key), layout.values(value), added, tiles))


def _mask_as_feature(query, key, key_mask):
    """The key mask as one more feature, 1 in queries and far below zero in padded keys: no pass over the logits."""
    query = ops.concatenate([query, ops.ones_like(query[..., :1])], axis=-1)
    hidden = ops.expand_dims(ops.where(key_mask, ops.zeros((), key.dtype), ops.cast(NEGATIVE, key.dtype)), (2, 3))
    return query, ops.concatenate([key, ops.broadcast_to(hidden, (*ops.shape(key)[:-1], 1))], axis=-1)


def _attend(query, key, value, added, tiles):
    """Attention in tiles, with the backward pass above.

    Args:
        query: [P, blocks, *lead, M, H], scaled; of the dtype of the others.
        key: [P, *lead, H, S].
        value: [P, *lead, S, V].
        added: List of those that there are: `Layout.grid` or `Layout.distances` of a bias, and `Layout.grid` of sinks.
        tiles: `Tiles`.

    Returns:
        context [P, blocks, *lead, M, V].
    """

    def forward(query, key, value, *added):
        return _forward(query, key, value, added, tiles)

    def backward(inputs, context, d_context):
        query, key, value, *added = inputs
        return _backward(query, key, value, added, context, d_context, tiles)

    return differentiable(forward, backward)(query, key, value, *added)


def _forward(query, key, value, added, tiles):
    H, V = query.shape[-1], value.shape[-1]
    width = max(H, V)

    def at(p):
        keys, values = key[p], value[p]

        def tile(stage, i, slot, sums, totals):
            at = tiles.at(stage, p, i)
            probs, alive, _ = tiles.probs(at, slot[..., :H], at.columns(keys), added)
            context = tiles.drop(at, probs) @ at.rows(values)
            return widen(context if alive is None else context * alive, width), sums, totals

        return [functools.partial(tile, stage) for stage in tiles.stages]

    return fold(widen(query, width), [], [], at, tiles.ranges, overlap=True)[0][..., :V]


def _backward(query, key, value, added, context, d_context, tiles):
    delta = ops.sum(d_context * context, axis=-1, keepdims=True)
    d_context = ops.concatenate([d_context, -delta], axis=-1)
    key_rows, value_columns = swap_last(key), swap_last(value)
    value_columns = ops.concatenate([value_columns, ops.ones_like(value_columns[..., :1, :])], axis=-2)

    def at(p):
        d_contexts, keys, rows, values = d_context[p], key[p], key_rows[p], value_columns[p]

        def tile(stage, i, slot, sums, totals):
            at, d_out = tiles.at(stage, p, i), d_contexts[i]
            probs, alive, bent = tiles.probs(at, slot, at.columns(keys), added)
            d_out = d_out if alive is None else d_out * alive
            d_logits = probs * tiles.d_probs(at, d_out, at.columns(values))
            d_added = tiles.add_gradients(at, totals, probs, d_logits, d_out)
            d_logits = d_logits if bent is None else d_logits * (1 - ops.square(bent))
            d_keys = at.add_to_columns(sums[0], swap_last(slot) @ d_logits, tiles.layout.S)
            d_values = swap_last(d_out[..., :-1]) @ tiles.drop(at, probs)
            d_values = at.add_to_columns(sums[1], d_values, tiles.layout.S)
            return d_logits @ at.rows(rows), [d_keys, d_values], d_added

        return [functools.partial(tile, stage) for stage in tiles.stages]

    sums = [ops.zeros_like(key), ops.zeros_like(value_columns[..., :-1, :])]
    totals = [ops.zeros_like(x) for x in added]
    d_query, (d_key, d_value), d_added = fold(query, sums, totals, at, tiles.ranges, overlap=True)
    return d_query, d_key, swap_last(d_value), *d_added
