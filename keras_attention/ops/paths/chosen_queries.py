"""Attention of a few chosen queries, for their scores, as a problem of its own: the rows of masks and biases."""

import math

import keras
from keras import ops

from keras_attention.ops.masks import both, in_band
from keras_attention.ops.shapes.known import known_values
from keras_attention.ops.shapes.sizes import shape_of


def require_queries(queries, dims):
    """Returns the positions of chosen queries as an integer tensor [R]; `None` stays `None`.

    Args:
        queries: Integers [R], R at least 1; negative ones count from the last query.
        dims: Sizes of the axes of the queries, along which positions count; `None` where unknown.

    Raises:
        ValueError: If they are not such integers, or a position is out of range.
    """
    if queries is None:
        return None
    known = known_values(queries)
    given = queries if known is None else known
    integer = keras.backend.is_int_dtype(queries.dtype) if known is None else known.dtype.kind in "iu"
    T = None if None in dims else math.prod(dims)
    within = T is None or known is None or not integer or bool(((known >= -T) & (known < T)).all())
    if not integer or len(given.shape) != 1 or 0 in given.shape or not within:
        limit = "" if T is None else f", from {-T} to {T - 1}"
        raise ValueError(
            "`score_queries` must be positions of queries, a list of one or more ints"
            f"{limit}. Received: score_queries={queries}"
        )
    return ops.cast(queries, "int32")


def take_rows(x, queries, axis):
    """The rows of chosen queries of `x`, which has T entries along `axis`, or one for all of them."""
    return None if x is None else ops.take(x, ops.mod(queries, ops.shape(x)[axis]), axis=axis)


def chosen_dims(dims, queries, axes=1):
    """The dimensions [..., *T, *S] of scores, with as many query as key `axes`, as those of chosen queries."""
    if queries is None:
        return dims
    chosen = require_queries(queries, dims[-2 * axes : -axes]).shape[0]
    return (*dims[: -2 * axes], chosen, *dims[-axes:])


def scores_at(scores, queries, axes):
    """The scores of chosen queries [..., R, *S] out of all, [..., *T, *S] with as many query as key `axes`."""
    if scores is None or queries is None:
        return scores
    dims = ops.shape(scores)
    lead, rows, keys = dims[: -2 * axes], dims[-2 * axes : -axes], dims[-axes:]
    return take_rows(ops.reshape(scores, (*lead, math.prod(rows), *keys)), queries, len(lead))


def at_queries(
    queries,
    query,
    key,
    *,
    mask=None,
    query_mask=None,
    bias=None,
    causal=False,
    query_offset=0,
    window=None,
    **rest,
):
    """The arguments of `attend_unchecked` for chosen queries alone, without dropout.

    Args:
        queries: Integer tensor [R], the positions of the queries.
        query, key: [B, T, N, H] and [B, S, K, H].
        mask, query_mask, bias, causal, query_offset, window: See `attend`.
        **rest: Arguments that do not depend on the query.

    Returns:
        query [B, R, N, H], and a dict of the other arguments, causality and the window in their `mask`.
    """
    T, S = shape_of(query)[1], shape_of(key)[1]
    keys, rows = ops.expand_dims(ops.arange(S, dtype="int32"), 0), ops.expand_dims(ops.mod(queries, T), 1)
    if mask is not None:
        mask = take_rows(mask, queries, len(mask.shape) - 2)
    mask = both(mask, in_band(rows + ops.cast(query_offset, "int32"), keys, causal, window))
    if bias is not None and len(bias.shape) == 3:
        distances = ops.reshape(keys - rows + (T - 1), (-1,))  # flat, as `jax.numpy.take` drops empty axes of indices
        bias = ops.reshape(ops.take(bias, distances, axis=-1), (*ops.shape(bias)[:2], queries.shape[0], S))
    elif bias is not None:
        bias = take_rows(bias, queries, 2)
    rest |= {"mask": mask, "query_mask": take_rows(query_mask, queries, 1), "bias": bias}
    rest |= {"causal": False, "query_offset": 0, "window": None, "dropout": 0.0, "seed": None}
    return take_rows(query, queries, 1), rest
