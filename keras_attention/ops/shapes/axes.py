"""Attention over any axes of a tensor: fold them into one length, attend, unfold.

    [B, *free, *attended, N, H]  <->  [B * free, T, N, H]        T = product of the attended axes

Inputs of rank 3 ([B, T, D], one attended axis, none free) pass through untouched.
"""

import math

from keras import ops

from keras_attention.ops.shapes.sizes import shape_of


def fold_axes(x, axes, trailing):
    """Merges the attended axes into axis 1 and every other leading axis into the batch.

    Args:
        x: [B, *middle, *last], its `last` being `trailing` axes.
        axes: Tuple of ints: the attended axes of `x`, in the order in which they are flattened.
        trailing: Int; number of last axes that are kept.

    Returns:
        [B * free, attended, *last].
    """
    rank = len(x.shape)
    if rank - trailing == 2:
        return x
    shape = ops.shape(x)
    free = free_axes(rank - trailing, axes)
    last = range(rank - trailing, rank)
    x = ops.transpose(x, (*free, *axes, *last))
    return ops.reshape(x, (math.prod(shape[i] for i in free), _prod(shape, axes), *(shape[i] for i in last)))


def unfold_axes(x, axes, middle):
    """The inverse of `fold_axes`, for the context of the queries.

    Args:
        x: [B * free, T, *last].
        axes: The attended axes, as given to `fold_axes`.
        middle: The dimensions [B, *middle] that were folded, static or dynamic.

    Returns:
        [B, *middle, *last].
    """
    if len(middle) == 2:
        return x
    order = (*free_axes(len(middle), axes), *axes)
    last = ops.shape(x)[2:]
    x = ops.reshape(x, (*(middle[i] for i in order), *last))
    back = sorted(range(len(order)), key=order.__getitem__)
    return ops.transpose(x, (*back, *range(len(order), len(order) + len(last))))


def unfold_scores(scores, axes, query_dims, key_dims, rows=None):
    """[B * free, N, T, S] -> [B, *free, N, *attended query axes, *attended key axes].

    With `rows`, T is the number of chosen queries, which is left as it is.
    """
    if len(query_dims) == 2:
        return scores
    return ops.reshape(scores, scores_dims(scores.shape[1], axes, query_dims, key_dims, rows))


def scores_dims(heads, axes, query_dims, key_dims, rows=None):
    """The dimensions of the unfolded scores: [B, *free, N, *attended query axes, *attended key axes].

    Args:
        heads: Int, N.
        axes: The attended axes.
        query_dims, key_dims: The dimensions [B, *middle] of the queries and of the keys.
        rows: Number of chosen queries, which stands for the query axes; `None`: all.
    """
    free = (query_dims[i] for i in free_axes(len(query_dims), axes))
    queries = [query_dims[i] for i in axes] if rows is None else [rows]
    return (*free, heads, *queries, *(key_dims[i] for i in axes))


def fold_scores_like(x, axes, query_dims, key_dims):
    """Folds a mask or bias that broadcasts to the unfolded scores; missing axes have size 1.

    Args:
        x: [*batch and free axes, N or 1, *query axes, *key axes]; of a lower rank, the axes just
            before the query axes are the missing ones (the heads first).
        axes, query_dims, key_dims: As in `unfold_scores`.

    Returns:
        [B * free or 1, N or 1, T, S].
    """
    if len(query_dims) == 2:
        return x
    attended, rank = 2 * len(axes), len(query_dims) + 1 + len(axes)
    while len(x.shape) < rank:
        x = ops.expand_dims(x, len(x.shape) - attended)
    free = free_axes(len(query_dims), axes)
    batch = [1] * len(free)
    if any(d != 1 for d in x.shape[: len(free)]):
        batch = [query_dims[i] for i in free]
    heads = ops.shape(x)[len(free)]
    x = ops.broadcast_to(x, (*batch, heads, *(query_dims[i] for i in axes), *(key_dims[i] for i in axes)))
    return ops.reshape(x, (math.prod(batch), heads, _prod(query_dims, axes), _prod(key_dims, axes)))


def free_axes(rank, axes):
    """The axes, batch first, that are not attended."""
    return tuple(i for i in range(rank) if i not in axes)


def _prod(shape, axes):
    return math.prod(shape[i] for i in axes)


def last_axis(x, first, end=None):
    """`x[..., first:end]`. Inside of loops, converters to ONNX do not know how many axes an ellipsis stands for."""
    return x[(*(slice(None) for _ in x.shape[:-1]), slice(first, end))]


def swap_last(x):
    """`x` with its last two axes swapped: the transpose of each matrix."""
    return ops.swapaxes(x, -1, -2)


def swap_heads(x):
    """[B, T, N, H] <-> [B, N, T, H]. Of one row or one head the order in memory stays: a reshape."""
    if 1 not in x.shape[1:3]:
        return ops.transpose(x, (0, 2, 1, 3))
    B, T, N, H = shape_of(x)
    return ops.reshape(x, (B, N, T, H))


def contract(x, kernel, axes):
    """The product over the last `axes` axes of `x` and the first of `kernel`, on TensorFlow as one of matrices.

    Not by `ops.tensordot` and `ops.reshape`, which in eager mode take longer than the product of a short sequence.
    """
    import tensorflow as tf

    width = math.prod(kernel.shape[:axes])
    product = tf.reshape(x, (-1, width)) @ tf.reshape(kernel, (width, -1))
    return tf.reshape(product, (*shape_of(x)[:-axes], *kernel.shape[axes:]))
