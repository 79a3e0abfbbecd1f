"""Base class of additive attention."""

import keras
from keras import ops

from keras_attention.layers.bases.memory_attention import MemoryAttention, dense, project
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_bool, require_int


class AdditiveWeights(MemoryAttention):
    """Base class of additive attention: projections of queries and keys, and the (weight-normalized) score vector."""

    def __init__(self, units, normalize, score_bias, kernel_initializer, vector_initializer, **kwargs):
        super().__init__(**kwargs)
        self.units = require_int(units, "units")
        self.normalize = require_bool(normalize, "normalize")
        self.score_bias = require_bool(score_bias, "score_bias", optional=True)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.vector_initializer = keras.initializers.get(vector_initializer)

    def build(self, query_shape, value_shape, key_shape=None):
        query_size, key_size = self._set_sizes(query_shape, value_shape, key_shape)
        make = {"units": self.units, "policy": self.dtype_policy}
        self.query_dense = dense(query_size, name="query", initializer=clone(self.kernel_initializer), **make)
        self.key_dense = dense(key_size, name="key", initializer=clone(self.kernel_initializer), **make)
        self.vector = self.add_weight(shape=(self.units,), initializer=clone(self.vector_initializer), name="vector")
        if self.normalize:
            start = keras.initializers.Constant(self.units**-0.5)
            self.scale = self.add_weight(shape=(), initializer=start, name="scale")
        if self._has_bias():
            self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "normalize": self.normalize,
            "score_bias": self.score_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "vector_initializer": keras.initializers.serialize(self.vector_initializer),
        }

    def _has_bias(self):
        return self.normalize if self.score_bias is None else self.score_bias

    def _project_key(self, key):
        return self.key_dense(key)

    def _project_query(self, query):
        """[B, T, U], including the bias, which is cheaper to add here than to all keys."""
        query = project(self.query_dense, query)
        return query + ops.cast(self.bias, query.dtype) if self._has_bias() else query

    def _score_vector(self):
        [vector] = at_least_float32(self.vector)
        if not self.normalize:
            return vector
        return ops.cast(self.scale, vector.dtype) * vector * ops.rsqrt(ops.sum(ops.square(vector)))
