"""Max pool of clips."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_attention")
class ClipMaxPool(keras.layers.Layer):
    """Max pool [B, T, Y, X, C] -> [B, T', Y', X', C] without padding: over space, then over time.

    Equal to `keras.layers.MaxPooling3D`, which has no equivalent in LiteRT.

    Args:
        pool_size: Three ints, the window over (T, Y, X).
        strides: Three ints.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.
    """

    def __init__(self, pool_size, strides, **kwargs):
        super().__init__(**kwargs)
        self.pool_size, self.strides = tuple(pool_size), tuple(strides)

    def call(self, x):
        T, Y, X, C = ops.shape(x)[1:]
        x = self._pool(ops.reshape(x, (-1, Y, X, C)), slice(1, 3))
        Y, X = ops.shape(x)[1:3]
        x = self._pool(ops.reshape(x, (-1, T, Y * X, C)), slice(0, 1))
        return ops.reshape(x, (-1, ops.shape(x)[1], Y, X, C))

    def _pool(self, x, axes):
        """[B, ..., C] pooled over two axes, or over the first of two."""
        size, strides = ((*sizes[axes], 1)[:2] for sizes in (self.pool_size, self.strides))
        return ops.max_pool(x, size, strides, padding="valid", data_format="channels_last")

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size, "strides": self.strides}
