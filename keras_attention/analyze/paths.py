"""Lengths of the paths of signals between positions."""

import math


def hops(n, reach):
    """Steps of at most `reach` positions from the first of `n` positions to the last; `inf` if none is possible.

    The longest path of layers in which a position sees those less than `reach + 1` away: ceil((n - 1) / reach).
    """
    if n <= 1:
        return 1
    return math.ceil((n - 1) / reach) if reach >= 1 else math.inf
