"""Products of sizes that may be known only when a graph runs."""

import math

from keras import ops


def product(*sizes):
    """An int if all sizes are; else a float32 scalar, as an int32 one may overflow: 46,341 squared does."""
    if all(isinstance(n, int) for n in sizes):
        return math.prod(sizes)
    return math.prod(ops.cast(n, "float32") for n in sizes)
