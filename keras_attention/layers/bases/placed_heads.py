"""What multi-head attention does to queries and keys between their projections and their product."""

import keras
from keras import ops

from keras_attention.layers.bases.distance_bias import DistanceBias
from keras_attention.layers.bases.full_precision import bias_dtype
from keras_attention.layers.rms_normalization import RMSNormalization
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.ops import distances
from keras_attention.ops.require import require_bool, require_number


class PlacesHeads:
    """Mixin of `MultiHeadAttention`: normalizes heads of queries and keys, and rotates them by their positions.

    It also holds what changes their logits: the bias of the distances, the cap and the sinks.
    """

    def __init__(self, *, rotary, position_bias, query_key_norm, logit_cap, use_sinks, **kwargs):
        super().__init__(**kwargs)
        self.rotary = require_layer(rotary, "rotary", RotaryEmbedding)
        self.position_bias = _copy(require_layer(position_bias, "position_bias", DistanceBias))
        self.query_key_norm = require_bool(query_key_norm, "query_key_norm")
        self.logit_cap = require_number(logit_cap, "logit_cap", optional=True, above=0)
        self.use_sinks = require_bool(use_sinks, "use_sinks")

    def get_config(self):
        return {
            **super().get_config(),
            "rotary": _serialized(self.rotary),
            "position_bias": _serialized(self.position_bias),
            "query_key_norm": self.query_key_norm,
            "logit_cap": self.logit_cap,
            "use_sinks": self.use_sinks,
        }

    def _build_projections(self, query_shape, *shapes):
        """The weights beyond those of Keras's layer come after them."""
        super()._build_projections(query_shape, *shapes)
        for name, layer in (("rotary", self.rotary), ("position_bias", self.position_bias)):
            if layer is not None and len(query_shape) != 3:
                raise ValueError(
                    f"With `{name}`, `query` must be [B, T, D]. Received: query.shape={tuple(query_shape)}"
                )
        if self.position_bias is not None:
            self._build_position_bias(query_shape)
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

    def _build_position_bias(self, query_shape):
        if self.position_bias.num_heads != self.num_heads:
            raise ValueError(
                "`position_bias` must be of as many heads. Received: "
                f"position_bias.num_heads={self.position_bias.num_heads}, num_heads={self.num_heads}"
            )
        self.position_bias.build(query_shape)

    def _bias(self, query, keys, axis, start, given):
        """The bias of queries [B, T, ...] from position `start` on, with that which is `given` for the call.

        `axis` is that of the positions of the keys.
        """
        if self.position_bias is None:
            return given
        T, S = ops.shape(query)[1], ops.shape(keys)[axis]
        # Not `self.position_bias(...)`, which takes the sequences and not their lengths.
        own = self.position_bias._of_distances(distances(T, S, start), bias_dtype(self.position_bias))
        if given is not None and len(given.shape) == 4:
            own = _by_pair(own, T, S)
        return own if given is None else own + ops.cast(given, own.dtype)

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


def require_layer(layer, name, kind):
    """Returns `layer`, deserialized if a config; raises unless it is `None` or of this class."""
    if isinstance(layer, dict):
        layer = keras.saving.deserialize_keras_object(layer)
    if layer is not None and not isinstance(layer, kind):
        expected = "`RotaryEmbedding`" if kind is RotaryEmbedding else "layer of biases, such as `ALiBi`,"
        raise ValueError(f"`{name}` must be a {expected} or `None`. Received: {name}={layer!r}")
    return layer


def _copy(bias):
    """A layer of its own: blocks made with the same arguments must not share a table, which files do not keep."""
    if bias is not None and bias.weights:
        raise ValueError(
            "`position_bias` must not be built, as a copy of it is used. To share one over layers, pass its output as "
            f"`attention_bias`. Received: position_bias={bias!r}"
        )
    return None if bias is None else type(bias).from_config(bias.get_config())


def _serialized(layer):
    """The config of a layer that is built anew by the layer that has it."""
    config = None if layer is None else keras.saving.serialize_keras_object(layer)
    return config and {name: value for name, value in config.items() if name != "build_config"}


def _by_pair(bias, T, S):
    """A bias [1, N, T+S-1] of the distances as [1, N, T, S]."""
    distance = ops.expand_dims(ops.arange(S), 0) - ops.expand_dims(ops.arange(T), 1)
    # Flat, as `jax.numpy.take` drops empty axes of the indices.
    pairs = ops.take(bias, ops.reshape(distance + (T - 1), (-1,)), axis=-1)
    return ops.reshape(pairs, (*bias.shape[:2], T, S))
