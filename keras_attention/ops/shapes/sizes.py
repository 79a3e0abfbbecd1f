"""Products of sizes that may be known only when a graph runs."""

import math

from keras import ops


def product(*sizes):
    """An int if all sizes are; else a float32 scalar, as an int32 one may overflow: 46,341 squared does."""
    if known(*sizes):
        return math.prod(sizes)
    return math.prod(ops.cast(n, "float32") for n in sizes)


def with_rank(x, rank):
    """`x` with axes of 1 after its own, `rank` axes in all: what it says of an entry, it says of all that is in it."""
    x = ops.convert_to_tensor(x)
    return ops.reshape(x, (*ops.shape(x), *[1] * (rank - len(x.shape))))


def chosen(x, index):
    """The entry `index` of each row of x: [..., V] and integers [...] -> [...].

    A sum over the row, and not `take_along_axis`, of which older Keras makes operations that XLA does not know where
    the batch is not known.
    """
    places = ops.arange(x.shape[-1], dtype="int32")
    here = places == ops.cast(index, "int32")[..., None]
    return ops.sum(ops.where(here, x, ops.zeros_like(x)), axis=-1)


def minimum(a, b):
    """Smaller of two lengths; stays a Python int where both are."""
    return min(a, b) if known(a, b) else ops.minimum(a, b)


def maximum(a, b):
    """Larger of two lengths; stays a Python int where both are."""
    return max(a, b) if known(a, b) else ops.maximum(a, b)


def same(a, b):
    """Whether two lengths are known to be equal."""
    return a is b or (known(a, b) and a == b)


def may_equal(a, b):
    """Whether two static lengths can be equal; `None` is not known yet."""
    return a is None or b is None or a == b


def known(*sizes):
    """Whether all sizes are ints, and not tensors."""
    return all(isinstance(n, int) for n in sizes)
