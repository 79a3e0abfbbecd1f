"""Base class of Transformer blocks."""

from typing import Any, Unpack

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.full_precision import KeepsBiasPrecision
from keras_attention.layers.bases.position_wise import activation_of
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.multi_head_attention import MultiHeadAttention
from keras_attention.layers.rms_normalization import RMSNormalization
from keras_attention.ops.require import (
    require_bool,
    require_choice,
    require_int,
    require_number,
    require_rate,
    require_seed,
)
from keras_attention.types import Activation, Initializer, LayerOptions

NORMS = {"layer": keras.layers.LayerNormalization, "rms": RMSNormalization}


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerBlock(KeepsBiasPrecision, BaseLayer):
    """Base class of `TransformerEncoderBlock` and `TransformerDecoderBlock`; see there for the arguments."""

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        key_dim: int | None = None,
        value_dim: int | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        activation: Activation = "relu",
        norm_first: bool = False,
        use_bias: bool = False,
        epsilon: float = 1e-6,
        kernel_initializer: Initializer = "glorot_uniform",
        seed: int | None = None,
        *,
        attention: dict[str, Any] | None = None,
        feed_forward: dict[str, Any] | keras.Layer | None = None,
        norm: str = "layer",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = require_int(num_heads, "num_heads")
        self.intermediate_dim = require_int(intermediate_dim, "intermediate_dim")
        self.key_dim = require_int(key_dim, "key_dim", optional=True)
        self.value_dim = require_int(value_dim, "value_dim", optional=True)
        self.dropout = require_rate(dropout, "dropout")
        self.attention_dropout = require_rate(attention_dropout, "attention_dropout")
        self.activation = activation_of(activation)
        self.norm_first = require_bool(norm_first, "norm_first")
        self.use_bias = require_bool(use_bias, "use_bias")
        self.epsilon = require_number(epsilon, "epsilon", above=0)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = require_seed(seed)
        self.norm = require_choice(norm, "norm", NORMS)
        # Not tracked: the layers in use are, as `self_attention` and `feed_forward`.
        vars(self)["attention"] = self._require_part(attention, "attention", "num_heads")
        vars(self)["_feed_forward"] = self._require_part(feed_forward, "feed_forward", "intermediate_dim")
        self.supports_masking = True

    def _require_part(self, part, name, size):
        """Returns `part`: `None`, a dict of arguments, or a layer, deserialized if a config, of the block's `size`."""
        if isinstance(part, dict) and {"class_name", "config"} <= set(part):
            part = keras.saving.deserialize_keras_object(part)
        if part is not None and not isinstance(part, dict | keras.layers.Layer):
            raise ValueError(f"`{name}` must be a layer, a dict or `None`. Received: {name}={part!r}")
        expected = getattr(self, size)
        if isinstance(part, keras.layers.Layer) and getattr(part, size, expected) != expected:
            raise ValueError(
                f"`{size}` of `{name}` must be that of the block, {expected}. Received: {getattr(part, size)}"
            )
        if isinstance(part, dict):
            self._try(part, name)
        return part

    def _try(self, own, name):
        """Raises if a layer does not take the arguments `own`, before the block is built."""
        try:
            self._multi_head(own, D=self.num_heads) if name == "attention" else self._network(own)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`{name}` must hold arguments of its layer. {error}") from error

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": keras.activations.serialize(self.activation),
            "norm_first": self.norm_first,
            "use_bias": self.use_bias,
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
            "attention": keras.saving.serialize_keras_object(self.attention),
            "feed_forward": keras.saving.serialize_keras_object(self._feed_forward),
            "norm": self.norm,
        }

    def _build_feed_forward(self, inputs_shape):
        own = self._feed_forward
        self.feed_forward = own if isinstance(own, keras.layers.Layer) else self._network(own or {})
        build(self.feed_forward, inputs_shape)
        self.feed_forward_norm = self._norm("feed_forward_norm", inputs_shape)
        self.residual_dropout = keras.layers.Dropout(
            self.dropout, seed=self.seed, name="residual_dropout", dtype=self.dtype_policy
        )
        self.residual_dropout.build(inputs_shape)

    def _network(self, own):
        """The feed-forward network with the arguments of the block, and `own` over them."""
        given = {"activation": self.activation, "kernel_initializer": clone(self.kernel_initializer)}
        given |= {"name": "feed_forward", "dtype": self.dtype_policy}
        return FeedForward(self.intermediate_dim, **{**given, **own})

    def _attention(self, name, query_shape, value_shape, seed_offset, own=None):
        """Multi-head attention with the arguments of the block and `own`; or `own` if that is a layer."""
        D = query_shape[-1]
        if len(query_shape) != 3 or D is None:
            raise ValueError(f"`inputs` must be [B, T, D] with a known D. Received: inputs.shape={tuple(query_shape)}")
        layer = isinstance(own, keras.layers.Layer)
        attention = own if layer else self._multi_head(own or {}, D, query_shape, name, seed_offset)
        build(attention, query_shape, value_shape)
        return attention

    def _multi_head(self, own, D, query_shape=None, name=None, seed_offset=0):
        given = {
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.attention_dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": clone(self.kernel_initializer),
            "seed": None if self.seed is None else self.seed + seed_offset,
            "name": name,
            "dtype": self.dtype_policy,
            **own,
        }
        if None in (given["key_dim"], given["value_dim"]) and D % self.num_heads:
            raise ValueError(
                "The width of `inputs` must be divisible by `num_heads`, or `key_dim` and `value_dim` be given. "
                f"Received: inputs.shape={tuple(query_shape)}, num_heads={self.num_heads}"
            )
        given |= {size: given[size] or D // self.num_heads for size in ("key_dim", "value_dim")}
        return MultiHeadAttention(self.num_heads, **given)

    def _norm(self, name, shape):
        norm = NORMS[self.norm](epsilon=self.epsilon, name=name, dtype=self.dtype_policy)
        norm.build(shape)
        return norm

    def _enter(self, norm, x):
        """The input of a sub-layer: the residual stream, normalized if `norm_first`."""
        return norm(x) if self.norm_first else x

    def _leave(self, norm, x, y, training):
        """The residual stream after a sub-layer with output `y`."""
        x = x + self.residual_dropout(y, training=training)
        return x if self.norm_first else norm(x)


def build(layer, *shapes):
    """Builds a layer that is not built: one out of a file is."""
    if not layer.built:
        layer.build(*shapes)
