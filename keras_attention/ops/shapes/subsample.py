"""Sub-sampling of keys and values by max-pooling, with a mask."""

import keras
from keras import ops

from keras_attention.ops.shapes.padding import zero_padding

POOL = 2


def subsample(x, mask=None):
    """Max-pools positions by 2 (1-D), 2 x 2 (2-D), or 1 x 2 x 2 (3-D: never over time). An odd last one is dropped.

    Args:
        x: [B, T, C], [B, Y, X, C] or [B, T, Y, X, C].
        mask: Boolean [B, *positions], or `None`. True marks positions that take part; a window without any gives zero,
            and is masked.

    Returns:
        The pooled x, and the pooled mask or `None`.
    """
    if mask is None:
        return _pool(x), None
    # Finite, because the gradient of max over infinities is undefined; the largest float16 is 65504.
    lowest = -6e4 if keras.backend.standardize_dtype(x.dtype) == "float16" else -1e30
    pooled = _pool(ops.where(ops.expand_dims(mask, -1), x, ops.cast(lowest, x.dtype)))
    seen = _pool(ops.expand_dims(ops.cast(mask, x.dtype), -1))[..., 0] > 0
    return zero_padding(pooled, seen), seen


def _pool(x):
    dims = ops.shape(x)
    if 0 in tuple(x.shape):  # not every backend pools an empty tensor
        return ops.zeros((*subsampled(dims[:-1]), dims[-1]), dtype=x.dtype)
    if len(dims) == 5:
        x = ops.reshape(x, (dims[0] * dims[1], *dims[2:]))
    x = ops.max_pool(x, POOL, POOL, padding="valid", data_format="channels_last")
    return ops.reshape(x, (dims[0], dims[1], *ops.shape(x)[1:])) if len(dims) == 5 else x


def subsampled(dims):
    """The dimensions [B, *positions] after `subsample`; `None` stays unknown."""
    space = min(2, len(dims) - 1)
    return (*dims[:-space], *(None if n is None else n // POOL for n in dims[-space:]))
