"""Writing into a key/value cache: a tensor of a fixed length, filled from the front."""

from keras import ops


def write_rows(cache, rows, index):
    """Writes `rows` into `cache` at `index`, `index + 1`, ..., and returns it.

        result[:, s] = rows[:, s - index]   where index <= s < index + t, else cache[:, s]

    Rows beyond the end are dropped. It is a selection, not `ops.slice_update`, which on TensorFlow is an XLA operation
    that small runtimes do not have, and which moves a slice that does not fit over the rows before it.

    Args:
        cache: [B, L, ...].
        rows: [B, t, ...]; cast to the dtype of `cache`.
        index: Int or int32 scalar tensor.

    Example:

    >>> from keras import ops
    >>> cache = write_rows(ops.zeros((1, 4, 1)), ops.ones((1, 2, 1)), index=1)
    >>> ops.convert_to_numpy(cache)[0, :, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    rows = ops.cast(rows, cache.dtype)
    length, count = ops.shape(cache)[1], ops.shape(rows)[1]
    offset = ops.arange(length, dtype="int32") - index
    if rows.shape[1] != 1:
        rows = ops.take(rows, ops.clip(offset, 0, count - 1), axis=1)
    written = ops.logical_and(offset >= 0, offset < count)
    return ops.where(ops.reshape(written, (1, length) + (1,) * (len(cache.shape) - 2)), rows, cache)
