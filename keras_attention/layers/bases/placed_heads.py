"""What multi-head attention does to queries and keys between their projections and their product."""

import keras

from keras_attention.layers.rms_normalization import RMSNormalization
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.ops.require import require_bool, require_number


class PlacesHeads:
    """Mixin of `MultiHeadAttention`: normalizes heads of queries and keys, and rotates them by their positions.

    It also holds what changes their logits: the cap and the sinks.
    """

    def __init__(self, *, rotary, query_key_norm, logit_cap, use_sinks, **kwargs):
        super().__init__(**kwargs)
        self.rotary = require_rotary(rotary)
        self.query_key_norm = require_bool(query_key_norm, "query_key_norm")
        self.logit_cap = require_number(logit_cap, "logit_cap", optional=True, above=0)
        self.use_sinks = require_bool(use_sinks, "use_sinks")

    def get_config(self):
        return {
            **super().get_config(),
            "rotary": None if self.rotary is None else keras.saving.serialize_keras_object(self.rotary),
            "query_key_norm": self.query_key_norm,
            "logit_cap": self.logit_cap,
            "use_sinks": self.use_sinks,
        }

    def _build_projections(self, query_shape, *shapes):
        """The weights beyond those of Keras's layer come after them."""
        super()._build_projections(query_shape, *shapes)
        if self.rotary is not None and len(query_shape) != 3:
            raise ValueError(f"With `rotary`, `query` must be [B, T, D]. Received: query.shape={tuple(query_shape)}")
        self.sinks = (
            self.add_weight(name="sinks", shape=(self.num_heads,), initializer="zeros") if self.use_sinks else None
        )
        self._norms = {"query": None, "key": None}
        for name, heads in (("query", self.num_heads), ("key", self.num_key_value_heads)):
            shape = (*query_shape[:-1], heads, self.key_dim)
            if self.query_key_norm:
                self._norms[name] = RMSNormalization(name=f"{name}_norm", dtype=self.dtype_policy)
                self._norms[name].build(shape)
            if self.rotary is not None:
                self.rotary.build(shape)

    def _on_logits(self):
        """The arguments of `attend` that change the logits."""
        return {"logit_cap": self.logit_cap, "sinks": self.sinks}

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
