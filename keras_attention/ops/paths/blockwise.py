"""Blockwise exact attention: a tile of rows at a time, scores computed again in the backward pass.

Forward, for a tile of queries Q with all the keys K and values V that they may see:

    P = softmax(Q K^T + bias),   O = P V

Backward, from dO, with P computed again and delta = rowsum(dO * O):

    dV += P^T dO,   dS = P * (dO V^T - delta),   dQ = dS K,   dK += dS^T Q

A row of P is complete in its tile, so nothing is rescaled and nothing but O is kept (Rabe and Staats, 2021,
"Self-attention Does Not Need O(n^2) Memory", chunks queries in the same way; the backward pass is that of
Dao et al., 2022, "FlashAttention", appendix B). Memory grows with T + S; no [T, S] tensor exists.
`delta` is folded into the product as one more feature: [dO, -delta] [V, 1]^T.
"""

from keras import ops

from keras_attention.ops.masks import NEGATIVE
from keras_attention.ops.paths.layout import Layout
from keras_attention.ops.paths.stages import stages
from keras_attention.ops.paths.tiles import Tiles
from keras_attention.ops.shapes.sizes import maximum, minimum

# Rows of a tile, as measured (docs/benchmarks.md): fewer are slower, more need more memory.
ROWS = 256


def blockwise(query, key, value, block_size, *, mask, key_mask, causal, query_offset, window, bias, dropout, seed):
    """Returns the context [B, T, N, V]; arguments as for `attend`, of one floating dtype, query scaled."""
    (B, T), S, heads = ops.shape(query)[:2], ops.shape(key)[1], key.shape[2]
    groups = query.shape[2] // heads
    rows = maximum(1, minimum(T, max(1, ROWS // groups) if block_size is None else block_size))
    layout = Layout(B, T, S, heads, groups, rows, maximum(1, (T + rows - 1) // rows))
    if mask is None and bias is None and key_mask is not None:
        query, key, key_mask = *_mask_as_feature(query, key, key_mask), None
    tiles = Tiles(
        layout=layout,
        stages=stages(layout, causal, window, query_offset),
        causal=causal,
        window=window,
        query_offset=query_offset,
        mask=None if mask is None else layout.grid(mask),
        mask_dims=() if mask is None else layout.dims(mask),
        key_mask=key_mask,
        bias_dims=() if bias is None else layout.dims(bias),
        dropout=dropout,
        seed=seed,
    )
    if bias is not None:
        bias = layout.grid(bias) if len(bias.shape) == 4 else layout.distances(bias)
    return layout.unqueries(_attend(layout.queries(query), layout.keys(key), layout.values(value), bias, tiles))


def _mask_as_feature(query, key, key_mask):
    """One more feature, 1 in the queries and far below zero in the padded keys: a mask without a pass of its own."""
    query = ops.concatenate([query, ops.ones_like(query[..., :1])], axis=-1)
    hidden = ops.where(key_mask, ops.zeros((), key.dtype), ops.cast(NEGATIVE, key.dtype))[:, :, None, None]
    return query, ops.concatenate([key, ops.broadcast_to(hidden, (*ops.shape(key)[:-1], 1))], axis=-1)


def _attend(query, key, value, bias, tiles):
    """Attention in tiles, with the backward pass above.

    Args:
        query: [P, blocks, M, H], scaled; of the dtype of the others.
        key: [P, H, S].
        value: [P, S, V].
        bias: `Layout.grid` or `Layout.distances` of a bias, or `None`.
        tiles: `Tiles`.

    Returns:
        context [P, blocks, M, V].
    """

    @ops.custom_gradient
    def run(query, key, value, *bias):
        context = _forward(query, key, value, bias, tiles)

        def gradient(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            return _backward(query, key, value, bias, context, upstream, tiles)

        return context, gradient

    return run(query, key, value, *([] if bias is None else [bias]))


def _forward(query, key, value, bias, tiles):
    H, V = query.shape[-1], value.shape[-1]
    width = max(H, V)

    queries = _widen(query, width)

    def part(p, slots):
        keys, values = key[p], value[p]

        def tile(at, slots):
            probs, alive = tiles.probs(at, slots[at.i][:, :H], at.columns(keys), *bias)
            mixed = tiles.drop(at, probs) @ at.rows(values)
            return _put(slots, at.i, _widen(mixed if alive is None else mixed * alive, width))

        # The context takes the place of its queries, and so every tile waits for the one before: TensorFlow would
        # otherwise hold the tiles of ten iterations at once. Different parts may still overlap.
        return _put(slots, p, tiles.fold(p, tile, queries[p]))

    return ops.fori_loop(0, ops.shape(key)[0], part, ops.zeros_like(queries))[..., :V]


def _backward(query, key, value, bias, context, d_context, tiles):
    delta = ops.sum(d_context * context, axis=-1, keepdims=True)
    d_context = ops.concatenate([d_context, -delta], axis=-1)
    key_rows, value_columns = _swap(key), _swap(value)
    value_columns = ops.concatenate([value_columns, ops.ones_like(value_columns[..., :1, :])], axis=-2)

    def part(p, state):
        d_query, d_key, d_value, *d_bias = state
        d_contexts, keys, rows, values = d_context[p], key[p], key_rows[p], value_columns[p]

        def tile(at, state):
            slots, d_keys, d_values, *d_bias = state
            q, d_out = slots[at.i], d_contexts[at.i]
            probs, alive = tiles.probs(at, q, at.columns(keys), *bias)
            d_out = d_out if alive is None else d_out * alive
            d_logits = probs * tiles.d_probs(at, d_out, at.columns(values))
            return (
                _put(slots, at.i, d_logits @ at.rows(rows)),
                at.add_to_columns(d_keys, _swap(q) @ d_logits, tiles.layout.S),
                at.add_to_columns(d_values, _swap(d_out[..., :-1]) @ tiles.drop(at, probs), tiles.layout.S),
                *(tiles.add_bias_gradient(at, g, d_logits) for g in d_bias),
            )

        # As above, the gradient takes the place of its queries.
        start = (query[p], ops.zeros_like(keys), ops.zeros_like(values[:-1]), *d_bias)
        slots, d_keys, d_values, *d_bias = tiles.fold(p, tile, start)
        return _put(d_query, p, slots), _put(d_key, p, d_keys), _put(d_value, p, d_values), *d_bias

    zeros = (ops.zeros_like(x) for x in (key, value_columns[..., :-1, :], *bias))
    d_query, d_key, d_value, *d_bias = ops.fori_loop(0, ops.shape(key)[0], part, (query, *zeros))
    return d_query, d_key, _swap(d_value), *d_bias


def _put(x, index, update):
    return ops.scatter_update(x, ops.reshape(ops.cast(index, "int32"), (1, 1)), ops.expand_dims(update, 0))


def _widen(x, width):
    return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, width - x.shape[-1])])


def _swap(x):
    return ops.swapaxes(x, -1, -2)
