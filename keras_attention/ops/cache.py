"""Writing into a key/value cache: a tensor of a fixed length, filled from the front."""

import keras
from keras import ops

from keras_attention.ops.runtime.compiled import compiled_differently


def write_rows(cache, rows, index, axis=1):
    """Writes `rows` into `cache` at `index`, `index + 1`, ... of `axis`, and returns it.

        axis 1:  result[:, s] = rows[:, s - index]   where index <= s < index + t, else cache[:, s]

    Rows beyond the end are dropped. It is a selection, not `ops.slice_update`, which on TensorFlow is an XLA operation
    that small runtimes do not have, and which moves a slice that does not fit over the rows before it.

    Args:
        cache: [B, L, ...]; for axis 2 [B, K, L, ...].
        rows: [B, t, ...] or [B, K, t, ...]; cast to the dtype of `cache`.
        index: Int or int32 scalar tensor.
        axis: 1 or 2.

    Example:

    >>> from keras import ops
    >>> cache = write_rows(ops.zeros((1, 4, 1)), ops.ones((1, 2, 1)), index=1)
    >>> ops.convert_to_numpy(cache)[0, :, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    rows = ops.cast(rows, cache.dtype)
    length, count = ops.shape(cache)[axis], ops.shape(rows)[axis]
    offset = ops.arange(length, dtype="int32") - index
    if rows.shape[axis] == 0:
        return cache
    if rows.shape[axis] != 1:
        if rows.shape[axis] is None:  # may be 0: one more row, that is never written, to take
            rows = ops.concatenate([rows, ops.take(cache, ops.zeros((1,), "int32"), axis=axis)], axis=axis)
        rows = ops.take(rows, ops.clip(offset, 0, ops.shape(rows)[axis] - 1), axis=axis)
    written = ops.logical_and(offset >= 0, offset < count)
    return ops.where(ops.reshape(written, (-1,) + (1,) * (len(cache.shape) - 1 - axis)), rows, cache)


def put_row(cache, row, index):
    """`write_rows` of one row at an index below L, in place inside a loop: its cost does not grow with L.

    For loops of decoding: TensorFlow has no gradient of it.

    Args:
        cache: [B, K, L, H].
        row: [B, K, 1, H].
        index: Int32 scalar tensor.
    """
    row = ops.cast(row, cache.dtype)
    if keras.backend.backend() == "tensorflow":
        return compiled_differently(_assign, _scatter)(cache, row, index)
    return ops.slice_update(cache, (0, 0, index, 0), row)


def _assign(cache, row, index):
    """TensorFlow's own kernels: the only one that writes into the memory of its input; XLA cannot compile it."""
    import tensorflow as tf

    begin, end = tf.stack([0, 0, index]), tf.stack([0, 0, index + 1])
    return tf.raw_ops.TensorStridedSliceUpdate(
        input=cache, begin=begin, end=end, strides=[1, 1, 1], value=row, begin_mask=0b011, end_mask=0b011
    )


def _scatter(cache, row, index):
    """XLA, which writes in place whatever it compiles; its own update is not an operation of every TensorFlow."""
    B, K, L, H = ops.shape(cache)
    places = ops.stack([ops.arange(B * K, dtype="int32"), ops.broadcast_to(index, (B * K,))], axis=1)
    flat = ops.scatter_update(ops.reshape(cache, (B * K, L, H)), places, ops.reshape(row, (B * K, H)))
    return ops.reshape(flat, (B, K, L, H))
