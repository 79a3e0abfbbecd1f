"""Blockwise attention with any function of pairs as logits, and any window; tiles are recomputed for the gradient.

Forward, for a tile of queries Q with all keys K and values V:

    L = logits(Q, K),   A = weights(L),   O = A V

Backward, from dO, with L and A recomputed:

    dV += A^T dO,   dA = dO V^T,   dL = d weights(dA),   dQ, dK, d parameters = d logits(dL)

A row of A is complete in its tile, so that there is no online softmax; no [T, S] tensor exists.
"""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.checks import check_shape
from keras_attention.ops.masks import both, require_boolean
from keras_attention.ops.pair_checks import check_pairs
from keras_attention.ops.paths.loop import added, choose_rows, fold, widen
from keras_attention.ops.paths.vjp import differentiable
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.shapes.axes import last_axis, swap_last
from keras_attention.ops.shapes.empty import cut_filled, fill_empty
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.ops.windows import weigh


@dataclass(frozen=True)
class Pairs:
    """What tiles need besides what is differentiated."""

    logits: object  # (query, key, *parameters) -> logits, and their vector-Jacobian product with all of these
    size: int  # of the keys; with a window, the queries have their center as one more column
    window: object
    rows: object
    mask: object  # [B|1, T|1, S|1]
    key_mask: object  # [B|1, S]

    def tile(self, query, key, value, parameters, visible):
        """Context, and its vector-Jacobian product with query, key, value and the parameters."""
        logits, logits_vjp = self.logits(last_axis(query, 0, self.size), key, *parameters)
        center = None if self.window is None else last_axis(query, self.size)
        weights, weigh_vjp = weigh(logits, visible, center, self.window)

        def vjp(d_context):
            d_logits, d_center = weigh_vjp(ops.matmul(d_context, swap_last(value)))
            d_query, d_key, *d_parameters = logits_vjp(d_logits)
            d_query = d_query if d_center is None else ops.concatenate([d_query, d_center], axis=-1)
            return d_query, d_key, ops.matmul(swap_last(weights), d_context), *d_parameters

        return ops.matmul(weights, value), vjp

    def visible(self):
        """Broadcastable to [B, T, S], or `None`."""
        return both(self.mask, None if self.key_mask is None else ops.expand_dims(self.key_mask, 1))

    def visible_at(self, p):
        """A function from a block to the mask of its rows, broadcastable to [*lead, rows, S], or `None`."""
        mask = None if self.mask is None else self.rows.of_part(self.mask, p)
        keys = None if self.key_mask is None else ops.expand_dims(self.rows.of_part(self.key_mask, p), -2)
        return lambda i: both(None if mask is None else self.rows.of_block(mask, i), keys)


def attend_pairs(
    query, key, value, logits, parameters, *, width, mask, query_mask, key_mask, center, window, block_size, device
):
    """Context [B, T, V]: weights(logits(query, key)) . value.

    Args:
        query, key, value: [B, T, U], [B, S, U], [B, S, V].
        logits, window: As in `Pairs`.
        parameters: Tuple of further tensors for `logits`.
        width: Int: numbers that `logits` holds per pair.
        mask, query_mask, key_mask: Boolean [B|1, T|1, S|1], [B|1, T], [B|1, S], each or `None`.
        center: [B, T], with a window.
        block_size: Rows per tile, 0 for no tiles, `None` to choose.
        device: See `choose_rows`.
    """
    size, (B, T) = key.shape[-1], ops.shape(query)[:2]
    if window is not None:
        query = ops.concatenate([query, ops.expand_dims(center, -1)], axis=-1)
    # An entry added to an empty axis has no effect: its value is zero, and its rows are cut off.
    query, key, value = (fill_empty(x, 0, 1) for x in (query, key, value))
    mask = None if mask is None else fill_empty(mask, 0, 1, 2)
    key_mask = None if key_mask is None else fill_empty(key_mask, 0, 1)
    pairs = Pairs(logits, size, window, choose_rows(query, key, width, block_size, device), mask, key_mask)

    def forward(query, key, value, *parameters):
        return _forward(pairs, query, key, value, parameters)

    def backward(inputs, _, d_context):
        query, key, value, *parameters = inputs
        return _backward(pairs, query, key, value, parameters, d_context)

    context = differentiable(forward, backward)(query, key, value, *parameters)
    return zero_padding(cut_filled(context, B, T), query_mask)


def mix(logits, value, *, mask, query_mask, key_mask, center, window):
    """Context [B, T, V] and weights [B, T, S] from all logits [B, T, S]."""
    visible = both(mask, None if key_mask is None else ops.expand_dims(key_mask, 1))
    weights = weigh(logits, visible, None if center is None else ops.expand_dims(center, -1), window)[0]
    weights = zero_padding(weights, query_mask)
    return ops.matmul(weights, value), weights


def prepare(query, key, value, mask, query_mask, key_mask, center):
    """Validates and converts arguments for `attend_pairs`: float32 at least, zero in padding; boolean masks."""
    query, key, value = at_least_float32(query, key, value)
    mask = require_boolean(mask, "attention_mask")
    query_mask, key_mask = require_boolean(query_mask, "query_mask"), require_boolean(key_mask, "key_mask")
    check_pairs(query, key, value, query_mask, key_mask)
    (B, T, _), S = query.shape, key.shape[1]
    check_shape(mask, "attention_mask", (T, S), (B, T, S), broadcast=(0, 1, 2))
    check_shape(center, "center", (B, T))
    query, key, value = zero_padding(query, query_mask), zero_padding(key, key_mask), zero_padding(value, key_mask)
    if center is not None:
        center = zero_padding(ops.cast(center, query.dtype), query_mask)
    mask = ops.expand_dims(mask, 0) if mask is not None and len(mask.shape) == 2 else mask
    masks = {"mask": mask, "query_mask": query_mask, "key_mask": key_mask, "center": center}
    return (query, key, value), masks


def _forward(pairs, query, key, value, parameters):
    if pairs.rows is None:
        return pairs.tile(query, key, value, parameters, pairs.visible())[0]
    columns, V = query.shape[-1], value.shape[-1]
    width, rows = max(columns, V), pairs.rows
    key, value = rows.split(key), rows.split(value)

    def at(p):
        keys, values, visible = key[p], value[p], pairs.visible_at(p)

        def tile(i, slot, sums, totals):
            context, _ = pairs.tile(last_axis(slot, 0, columns), keys, values, parameters, visible(i))
            return widen(context, width), sums, totals

        return [tile]

    return rows.join(fold(widen(rows.cut(query), width), [], [], at)[0])[..., :V]


def _backward(pairs, query, key, value, parameters, d_context):
    if pairs.rows is None:
        return pairs.tile(query, key, value, parameters, pairs.visible())[1](d_context)
    rows = pairs.rows
    d_context, key, value = rows.cut(d_context), rows.split(key), rows.split(value)

    def at(p):
        keys, values, d_contexts, visible = key[p], value[p], d_context[p], pairs.visible_at(p)

        def tile(i, slot, sums, totals):
            _, vjp = pairs.tile(slot, keys, values, parameters, visible(i))
            d_query, d_key, d_value, *d_parameters = vjp(d_contexts[i])
            return d_query, added(sums, [d_key, d_value]), added(totals, d_parameters)

        return [tile]

    sums, totals = [ops.zeros_like(key), ops.zeros_like(value)], [ops.zeros_like(x) for x in parameters]
    slots, sums, totals = fold(rows.cut(query), sums, totals, at)
    return rows.join(slots), *map(rows.merge, sums), *totals
