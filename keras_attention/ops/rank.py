"""How many axes a tensor has."""

from keras import ops


def with_rank(x, rank):
    """`x` with axes of 1 after its own, `rank` axes in all: what it says of an entry, it says of all that is in it."""
    x = ops.convert_to_tensor(x)
    return ops.reshape(x, (*ops.shape(x), *[1] * (rank - len(x.shape))))
