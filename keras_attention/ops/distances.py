"""A bias by distance is a Toeplitz matrix: T + S - 1 numbers say it all.

Entry j of the vector belongs to the distance s - t = j - (T - 1) of key s from query t.
"""

from keras import ops


def shear(x, rows, columns):
    """[..., rows + columns - 1] -> [..., rows, columns]: entry (t, s) is x[s - t + rows - 1].

    The vector, repeated, is read in rows one shorter than itself: each row starts one entry earlier in the vector
    than the one before. A Toeplitz matrix without any gather.
    """
    width, lead = rows + columns - 1, tuple(ops.shape(x)[:-1])
    x = ops.concatenate([x, ops.zeros_like(x[..., :1])], axis=-1)
    x = ops.broadcast_to(x[..., None, :], (*lead, rows, width + 1))
    x = ops.reshape(x, (*lead, rows * (width + 1)))[..., : rows * width]
    return ops.reshape(x, (*lead, rows, width))[..., rows - 1 :]


def unshear(x, rows, columns):
    """The transpose of `shear`: sums the diagonals of [..., rows, columns] into [..., rows + columns - 1]."""
    width, lead = rows + columns - 1, tuple(ops.shape(x)[:-2])
    x = ops.concatenate([ops.zeros((*lead, rows, rows - 1), x.dtype), x], axis=-1)
    x = ops.reshape(x, (*lead, rows * width))
    x = ops.concatenate([x, ops.zeros((*lead, rows), x.dtype)], axis=-1)
    return ops.sum(ops.reshape(x, (*lead, rows, width + 1)), axis=-2)[..., :width]
