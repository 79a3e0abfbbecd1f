"""Normal noise that does not depend on the path: a function of a seed and of the place alone, as that of dropout."""

import math

from keras import ops

from keras_attention.ops.dropout import column_hashes, row_hashes


def normal(seed, position, length):
    """Noise of N(0, 1) for the logits of one query of each batch entry (Box and Muller, 1958).

    Args:
        seed: int32 [B].
        position: int32 [B], that of the query.
        length: Int or integer scalar tensor, S.

    Returns:
        [B, S], float32.
    """
    radius, angle = (_uniform(seed, position, length, part) for part in range(2))
    return ops.sqrt(-2.0 * ops.log(radius)) * ops.cos(2.0 * math.pi * angle)


def _uniform(seed, position, length, part):
    """Numbers in (0, 1), [B, S]."""
    columns = column_hashes(part, ops.arange(length, dtype="int32"))
    # The hash of a sum of hashes: xor alone would tie the noise of two keys to one another in all rows.
    mixed = row_hashes(part, seed[:, None], 0, position[:, None] + columns)
    return (ops.cast(ops.bitwise_and(mixed, 2**24 - 1), "float32") + 0.5) * 2.0**-24
