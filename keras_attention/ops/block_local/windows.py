"""Overlapping windows of an axis, and their transpose, which sums where windows overlap."""

from keras import ops

from keras_attention.ops.shapes.sizes import maximum, minimum, same


def windows(x, axis, count, step, halo):
    """[..., count * step + halo, ...] -> [..., count, step + halo, ...]: window i begins at i * step.

    Args:
        x: Tensor.
        axis: Which axis of `x`, from 0.
        count: Number of windows: int or scalar tensor.
        step, halo: Ints.
    """
    if halo == 0:
        return _split(x, axis, count, step)
    more = -(-halo // step)
    x = _pad(x, axis, 0, more * step - halo)
    pieces = [_split(_cut(x, axis, i * step, count * step), axis, count, step) for i in range(more + 1)]
    pieces[-1] = _cut(pieces[-1], axis + 1, 0, halo - (more - 1) * step)
    return ops.concatenate(pieces, axis=axis + 1)


def add_windows(x, axis, step, halo):
    """[..., count, step + halo, ...] -> [..., count * step + halo, ...]: sums overlapping entries.

    Args:
        x: Tensor.
        axis: The first of the two axes.
        step, halo: As for `windows`.
    """
    if halo == 0:
        return _join(x, axis)
    more = -(-halo // step)
    total = None
    for i in range(more + 1):
        size = step if i < more else halo - (more - 1) * step
        piece = _join(_pad(_cut(x, axis + 1, i * step, size), axis + 1, 0, step - size), axis)
        piece = _pad(piece, axis, i * step, (more - i) * step)
        total = piece if total is None else total + piece
    return _cut(total, axis, 0, ops.shape(total)[axis] - (more * step - halo))


def add_strips(x, axis, halo):
    """`add_windows` with a step that may be a scalar tensor, at least the halo unless there is one window."""
    if halo == 0:
        return _join(x, axis)
    step = ops.shape(x)[axis + 1] - halo
    main = _join(_cut(x, axis + 1, 0, step), axis)
    # No slice may be empty: XLA aborts when it simplifies such a slice of a second derivative.
    halos = _join(_pad(_cut(x, axis + 1, step, halo), axis + 1, maximum(step - halo, 0), 0), axis)
    return _pad(main, axis, 0, halo) + _pad(halos, axis, minimum(step, halo), 0)


def _split(x, axis, count, step):
    shape = ops.shape(x)
    return ops.reshape(x, (*shape[:axis], count, step, *shape[axis + 1 :]))


def _join(x, axis):
    shape = ops.shape(x)
    return ops.reshape(x, (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))


def _cut(x, axis, start, size):
    """`size` entries of an axis from `start` on."""
    shape = ops.shape(x)
    starts = [start if i == axis else 0 for i in range(len(shape))]
    return ops.slice(x, starts, (*shape[:axis], size, *shape[axis + 1 :]))


def _pad(x, axis, before, after):
    if same(before, 0) and same(after, 0):
        return x
    return ops.pad(x, [(before, after) if i == axis else (0, 0) for i in range(len(x.shape))])
