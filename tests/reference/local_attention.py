"""Masks of the Image Transformer's local attention, one pair at a time, from the paper and its code.

The attention is `reference.attend` or `reference.multi_head_attention` under these masks.
"""

import numpy as np


def published_1d(length, block_length):
    """Causal local attention of the published code: the block before, and the own block causally."""
    seen = np.zeros((length, length), bool)
    for i, j in np.ndindex(length, length):
        seen[i, j] = j <= i and j // block_length >= i // block_length - 1
    return seen


def mask_1d(length, query_block, memory_block, causal=False, dilation=1):
    """1D mask with independent query and memory blocks; with dilation, on each strided subsequence."""
    seen = np.zeros((length, length), bool)
    for first in range(dilation):
        positions = range(first, length, dilation)
        for i, j in np.ndindex(len(positions), len(positions)):
            start = i - i % query_block
            end = i + 1 if causal else start + query_block + memory_block
            seen[positions[i], positions[j]] = start - memory_block <= j < end
    return seen


def mask_2d(height, width, query_block, memory_block, causal=False, dilation=(1, 1)):
    """2D mask [Y, X, Y, X], region by region."""
    seen = np.zeros((height, width, height, width), bool)
    for top, left in np.ndindex(*dilation):
        rows, columns = range(top, height, dilation[0]), range(left, width, dilation[1])
        for y, x in np.ndindex(len(rows), len(columns)):
            for v, u in _regions(y, x, query_block, memory_block, causal):
                if 0 <= v < len(rows) and 0 <= u < len(columns):
                    seen[rows[y], columns[x], rows[v], columns[u]] = True
    return seen


def _regions(y, x, query_block, memory_block, causal):
    (qh, qw), (fh, fw) = query_block, memory_block
    y0, x0 = y - y % qh, x - x % qw
    if not causal:
        yield from ((v, u) for v in range(y0 - fh, y0 + qh + fh) for u in range(x0 - fw, x0 + qw + fw))
        return
    yield from ((v, u) for v in range(y0 - fh, y0) for u in range(x0 - fw, x0 + qw + fw))
    yield from ((v, u) for v in range(y0, y0 + qh) for u in range(x0 - fw, x0))
    yield from ((v, u) for v in range(y0, y0 + qh) for u in range(x0, x0 + qw) if (v, u) <= (y, x))
