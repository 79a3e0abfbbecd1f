"""Pairwise testing: fewer cases than a full factorial, covering all pairs of values."""

from itertools import combinations, product


def all_pairs(*axes):
    """Cases, one value of each axis, so that every pair of values of different axes occurs in at least one.

    Greedy: the next case is the first with the most missing pairs, so that the result is deterministic. An axis may be
    any sequence; values are identified by their index in it.
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
