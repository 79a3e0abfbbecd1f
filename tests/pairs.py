"""Fewer cases than a full factorial, in which any two values still meet."""

from itertools import combinations, product


def all_pairs(*axes):
    """Cases, one value of each axis, so that each two values of different axes are together in at least one.

    Greedy: the case with the most pairs that are still missing is next, the first of several. For the same axes it
    gives the same cases. An axis may be any sequence; values are told apart by their place in it.
    """
    ranges = [range(len(axis)) for axis in axes]
    missing = {(i, a, j, b) for i, j in combinations(range(len(axes)), 2) for a in ranges[i] for b in ranges[j]}
    candidates, chosen = list(product(*ranges)), []

    def pairs(case):
        return {(i, case[i], j, case[j]) for i, j in combinations(range(len(case)), 2)}

    while missing:
        best = max(candidates, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        chosen.append(tuple(axis[at] for axis, at in zip(axes, best, strict=True)))
    return chosen
