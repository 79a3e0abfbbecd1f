"""Biases by distance as Toeplitz matrices of T + S - 1 numbers.

Entry j of the vector belongs to the distance s - t = j - (T - 1) of key s from query t.
"""

from keras import ops

from keras_attention.ops.masks import hide, in_band
from keras_attention.ops.shapes.sizes import maximum


def hide_distances(bias, T, causal, query_offset, window):
    """A bias [..., T + S - 1] with -inf where causality or the window hides: they too depend on the distance only."""
    distances = ops.arange(ops.shape(bias)[-1], dtype="int32") - (T - 1)
    return hide(bias, in_band(query_offset, distances, causal, window))


def shear(x, rows, columns):
    """[..., rows + columns - 1] -> [..., rows, columns]: entry (t, s) is x[s - t + rows - 1].

    The vector, repeated, is read in rows one shorter than itself: each row starts one entry earlier in the vector
    than the one before. A Toeplitz matrix without any gather.
    """
    # An empty axis is cut out of an axis of one.
    lead, (least, most) = tuple(ops.shape(x)[:-1]), (maximum(rows, 1), maximum(columns, 1))
    width = least + most - 1
    x = ops.pad(x, [(0, 0)] * len(lead) + [(0, width + 1 - ops.shape(x)[-1])])
    x = ops.broadcast_to(ops.expand_dims(x, -2), (*lead, least, width + 1))
    x = ops.reshape(x, (*lead, least * (width + 1)))[..., : least * width]
    return ops.reshape(x, (*lead, least, width))[..., :rows, least - 1 : least - 1 + columns]


def unshear(x, rows, columns):
    """The transpose of `shear`: sums the diagonals of [..., rows, columns] into [..., rows + columns - 1]."""
    width, lead = rows + columns - 1, tuple(ops.shape(x)[:-2])
    x = ops.concatenate([ops.zeros((*lead, rows, rows - 1), x.dtype), x], axis=-1)
    x = ops.reshape(x, (*lead, rows * width))
    x = ops.concatenate([x, ops.zeros((*lead, rows), x.dtype)], axis=-1)
    return ops.sum(ops.reshape(x, (*lead, rows, width + 1)), axis=-2)[..., :width]
