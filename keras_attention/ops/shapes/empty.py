"""Empty axes: loops and reshapes need one entry, which is cut off afterwards."""

from keras import ops

from keras_attention.ops.shapes.sizes import known, maximum, same


def fill_empty(x, *axes):
    """Pads each empty axis among `axes` with one entry of zeros; sizes may be known only at run time."""
    missing = [maximum(1 - size, 0) if axis in axes else 0 for axis, size in enumerate(ops.shape(x))]
    if all(same(n, 0) for n in missing):
        return x
    return ops.pad(x, [(0, n) for n in missing])


def cut_filled(x, *sizes):
    """`x` with its first axes cut to `sizes`, where those are or may be 0."""
    if known(*sizes) and all(sizes):
        return x
    return x[tuple(slice(n) for n in sizes)]
