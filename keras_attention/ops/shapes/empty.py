"""Empty axes: what loops and reshapes over an axis need is one entry, which is cut off again."""

from keras import ops

from keras_attention.ops.shapes.sizes import known, maximum, same


def fill_empty(x, *axes):
    """`x` with one entry of zeros along each of `axes` that has none; sizes may be known only when a graph runs."""
    missing = [maximum(1 - size, 0) if axis in axes else 0 for axis, size in enumerate(ops.shape(x))]
    if all(same(n, 0) for n in missing):
        return x
    return ops.pad(x, [(0, n) for n in missing])


def cut_filled(x, *sizes):
    """`x` with its first axes cut to `sizes`, where those are or may be 0."""
    if known(*sizes) and all(sizes):
        return x
    return x[tuple(slice(n) for n in sizes)]
