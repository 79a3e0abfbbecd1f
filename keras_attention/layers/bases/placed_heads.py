"""What multi-head attention does to queries and keys between their projections and their product."""

import keras

from keras_attention.layers.rms_normalization import RMSNormalization
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.ops.require import require_bool


class PlacesHeads:
    """Mixin of `MultiHeadAttention`: normalizes heads of queries and keys, and rotates them by their positions."""

    def __init__(self, *, rotary, query_key_norm, **kwargs):
        super().__init__(**kwargs)
        self.rotary = require_rotary(rotary)
        self.query_key_norm = require_bool(query_key_norm, "query_key_norm")

    def get_config(self):
        rotary = None if self.rotary is None else keras.saving.serialize_keras_object(self.rotary)
        return {**super().get_config(), "rotary": rotary, "query_key_norm": self.query_key_norm}

    def _build_projections(self, query_shape, *shapes):
        """The weights of the normalization come after those of Keras's layer."""
        super()._build_projections(query_shape, *shapes)
        if self.rotary is not None and len(query_shape) != 3:
            raise ValueError(f"With `rotary`, `query` must be [B, T, D]. Received: query.shape={tuple(query_shape)}")
        self._norms = {"query": None, "key": None}
        for name, heads in (("query", self.num_heads), ("key", self.num_key_value_heads)):
            shape = (*query_shape[:-1], heads, self.key_dim)
            if self.query_key_norm:
                self._norms[name] = RMSNormalization(name=f"{name}_norm", dtype=self.dtype_policy)
                self._norms[name].build(shape)
            if self.rotary is not None:
                self.rotary.build(shape)

    def _queries(self, query, start):
        """Queries in heads [B, *T, N, H] of inputs whose first position is `start`."""
        return self._place(self._query_dense(query), "query", start)

    def _place(self, heads, name, start):
        """Queries or keys in heads, normalized, and rotated by their positions from `start`."""
        heads = heads if self._norms[name] is None else self._norms[name](heads)
        # Not `self.rotary(...)`, which would cast the heads to its own dtype policy.
        return heads if self.rotary is None else self.rotary.call(heads, start)


def require_rotary(rotary):
    """Returns `rotary`, deserialized if a config; raises unless it is `None` or a `RotaryEmbedding`."""
    if isinstance(rotary, dict):
        rotary = keras.saving.deserialize_keras_object(rotary)
    if rotary is not None and not isinstance(rotary, RotaryEmbedding):
        raise ValueError(f"`rotary` must be a `RotaryEmbedding` or `None`. Received: rotary={rotary!r}")
    return rotary
