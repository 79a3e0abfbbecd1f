"""Base class of attention biases of the distance between query and key."""

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.full_precision import bias_dtype
from keras_attention.ops import distances
from keras_attention.types import Tensor


class DistanceBias(BaseLayer):
    """Bias [1, N, T+S-1] from the lengths of query and key; a subclass offers `num_heads` and `_of_distances`.

    Only the lengths of the inputs are used: integer token ids are accepted and not cast. Ignores masks and produces
    none: those who use the bias have their own.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    @property
    def _features_axis(self):
        return None

    def call(self, query: Tensor, key: Tensor | None = None, query_offset: int | Tensor = 0) -> Tensor:
        T, S = ops.shape(query)[1], ops.shape(query if key is None else key)[1]
        return self._of_distances(distances(T, S, query_offset), bias_dtype(self))

    def _of_distances(self, distance, dtype):
        """Distances [T+S-1] -> the bias [1, N, T+S-1] in `dtype`."""
        raise NotImplementedError

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, query_shape, key_shape=None):
        T, S = query_shape[1], (query_shape if key_shape is None else key_shape)[1]
        return (1, self.num_heads, None if T is None or S is None else T + S - 1)

    def compute_output_spec(self, query, key=None, query_offset=0):
        shape = self.compute_output_shape(query.shape, None if key is None else key.shape)
        return keras.KerasTensor(shape, dtype=bias_dtype(self))
