"""Which keys a block of queries attends to."""

from dataclasses import dataclass
from itertools import pairwise

from keras_attention.ops.shapes.sizes import known, maximum, minimum


@dataclass(frozen=True)
class Stage:
    """Blocks `first <= i < last` of queries, with spans of `size` keys."""

    first: object
    last: object
    size: object
    banded: bool  # whether causality or the window may hide a key of the span from a row
    start: object  # function of the block's index


# Each causal stage is a separate loop to trace; more stages process fewer masked keys.
STAGES, STAGES_OF_UNKNOWN_LENGTH = 8, 4


def stages(layout, causal, window, query_offset):
    """Splits the blocks into stages so that fully masked keys are skipped.

    A window needs one stage with moving spans; causality several, each with longer spans than the one before.
    All sizes depend on shapes alone, so that XLA can compile them.
    """
    rows, blocks, S = layout.rows, layout.blocks, layout.S
    if window is not None:
        reach = window - 1
        size = minimum(S, rows + reach * (1 if causal else 2))
        return [Stage(0, blocks, size, True, lambda i: minimum(maximum(i * rows + query_offset - reach, 0), S - size))]
    if not causal:
        return [Stage(0, blocks, S, False, lambda i: 0)]
    if not known(query_offset):
        return [Stage(0, blocks, S, True, lambda i: 0)]
    count = min(blocks, STAGES) if known(blocks) else STAGES_OF_UNKNOWN_LENGTH
    cuts = [blocks * g // count for g in range(count + 1)]
    return [_causal(first, last, rows, S, query_offset) for first, last in pairwise(cuts)]


def _causal(first, last, rows, S, query_offset):
    size = minimum(S, maximum(1, last * rows + query_offset))
    static = known(size, first, rows)
    return Stage(first, last, size, not static or first * rows + query_offset + 1 < size, lambda i: 0)
