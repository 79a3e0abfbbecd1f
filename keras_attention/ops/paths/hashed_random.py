"""Counter-based dropout and noise for attention, which any path can recompute block by block.

Whether a probability is kept depends only on the seed and on its position (batch, head, query, key), not on the order
of computation: dense and blockwise attention drop the same entries, and a backward pass that recomputes its blocks
drops them again without having stored a mask.
"""

import math

from keras import ops

# The multipliers of the 32-bit finaliser of MurmurHash3 (public domain) as signed integers.
_FIRST = -2048144789
_SECOND = -1028477387


def keep(rows, columns, rate):
    """Boolean dropout mask, true with probability `1 - rate`, from hashed rows and columns.

    keep[..., t, s] = hash(rows[..., t] xor columns[s]) >= quantile(rate)

    Args:
        rows: int32 [..., T, 1] of `row_hashes`.
        columns: int32 [S] of `column_hashes`.
        rate: Float in [0, 1).
    """
    # Both are hashes already; this makes the top bits depend on all bits of both.
    x = _xor_shift(ops.bitwise_xor(rows, columns) * _FIRST, 15) * _SECOND
    return x >= int(rate * 2**32) - 2**31


def row_hashes(seed, batch, head, position):
    """One hash per query of a head; the arguments are int32 tensors that broadcast."""
    return _mix(_mix(_mix(_scalar(seed) + batch) + head) + position)


def column_hashes(seed, position):
    """One hash per key."""
    return _mix(_mix(_scalar(seed) + 1) + position)


def _scalar(seed):
    """Folds a seed (int, or integer tensor of any small shape) into one int32."""
    seed = ops.reshape(ops.cast(ops.convert_to_tensor(seed), "int32"), (-1,))
    folded = ops.zeros((), "int32")
    for i in range(seed.shape[0]):
        folded = _mix(folded + seed[i])
    return folded


def _mix(x):
    """The finaliser of MurmurHash3, a bijection of int32: every bit of x reaches every bit of the result."""
    x = _xor_shift(x, 16) * _FIRST
    x = _xor_shift(x, 13) * _SECOND
    return _xor_shift(x, 16)


def _xor_shift(x, bits):
    """x xor (x >> bits), zeros coming in from the left (int32 would repeat its sign)."""
    return ops.bitwise_xor(x, ops.bitwise_and(ops.right_shift(x, bits), 2 ** (32 - bits) - 1))


def normal(seed, position, length):
    """N(0, 1) noise for the logits of one query per batch entry (Box and Muller, 1958).

    Args:
        seed: int32 [B].
        position: int32 [B], position of the query.
        length: Int or integer scalar tensor, S.

    Returns:
        [B, S], float32.
    """
    radius, angle = (uniform(seed, position, length, part) for part in range(2))
    return ops.sqrt(-2.0 * ops.log(radius)) * ops.cos(2.0 * math.pi * angle)


def uniform(seed, position, length, part=0):
    """Uniform numbers in (0, 1), [B, S], float32; those of two parts are independent. Arguments as of `normal`."""
    columns = column_hashes(part, ops.arange(length, dtype="int32"))
    # The hash of a sum of hashes: with xor alone the noise of two keys would be related in all rows.
    mixed = row_hashes(part, ops.expand_dims(seed, 1), 0, ops.expand_dims(position, 1) + columns)
    # 23 bits: with 24, adding a half would round the largest number to 1.
    return (ops.cast(ops.bitwise_and(mixed, 2**23 - 1), "float32") + 0.5) * 2.0**-23
