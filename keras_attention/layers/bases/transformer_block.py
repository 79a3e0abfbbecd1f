"""Base class of Transformer blocks."""

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.full_precision import KeepsBiasPrecision
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.multi_head_attention import MultiHeadAttention
from keras_attention.ops.require import require_bool, require_int, require_number, require_rate, require_seed


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerBlock(KeepsBiasPrecision, BaseLayer):
    """Base class of `TransformerEncoderBlock` and `TransformerDecoderBlock`; see there for the arguments."""

    def __init__(
        self,
        num_heads,
        intermediate_dim,
        key_dim=None,
        value_dim=None,
        dropout=0.1,
        attention_dropout=0.0,
        activation="relu",
        norm_first=False,
        use_bias=False,
        epsilon=1e-6,
        kernel_initializer="glorot_uniform",
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = require_int(num_heads, "num_heads")
        self.intermediate_dim = require_int(intermediate_dim, "intermediate_dim")
        self.key_dim = require_int(key_dim, "key_dim", optional=True)
        self.value_dim = require_int(value_dim, "value_dim", optional=True)
        self.dropout = require_rate(dropout, "dropout")
        self.attention_dropout = require_rate(attention_dropout, "attention_dropout")
        self.activation = keras.activations.get(activation)
        self.norm_first = require_bool(norm_first, "norm_first")
        self.use_bias = require_bool(use_bias, "use_bias")
        self.epsilon = require_number(epsilon, "epsilon", above=0)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = require_seed(seed)
        self.supports_masking = True

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
        }

    def _build_feed_forward(self, inputs_shape):
        self.feed_forward = FeedForward(
            self.intermediate_dim,
            self.activation,
            kernel_initializer=clone(self.kernel_initializer),
            name="feed_forward",
            dtype=self.dtype_policy,
        )
        self.feed_forward.build(inputs_shape)
        self.feed_forward_norm = self._norm("feed_forward_norm", inputs_shape)
        self.residual_dropout = keras.layers.Dropout(
            self.dropout, seed=self.seed, name="residual_dropout", dtype=self.dtype_policy
        )
        self.residual_dropout.build(inputs_shape)

    def _attention(self, name, query_shape, value_shape, seed_offset):
        D = query_shape[-1]
        if len(query_shape) != 3 or D is None:
            raise ValueError(f"`inputs` must be [B, T, D] with a known D. Received: inputs.shape={tuple(query_shape)}")
        if None in (self.key_dim, self.value_dim) and D % self.num_heads:
            raise ValueError(
                "The width of `inputs` must be divisible by `num_heads`, or `key_dim` and `value_dim` be given. "
                f"Received: inputs.shape={tuple(query_shape)}, num_heads={self.num_heads}"
            )
        attention = MultiHeadAttention(
            self.num_heads,
            key_dim=self.key_dim or D // self.num_heads,
            value_dim=self.value_dim or D // self.num_heads,
            dropout=self.attention_dropout,
            use_bias=self.use_bias,
            kernel_initializer=clone(self.kernel_initializer),
            seed=None if self.seed is None else self.seed + seed_offset,
            name=name,
            dtype=self.dtype_policy,
        )
        attention.build(query_shape, value_shape)
        return attention

    def _norm(self, name, shape):
        norm = keras.layers.LayerNormalization(epsilon=self.epsilon, name=name, dtype=self.dtype_policy)
        norm.build(shape)
        return norm

    def _enter(self, norm, x):
        """The input of a sub-layer: the residual stream, normalized if `norm_first`."""
        return norm(x) if self.norm_first else x

    def _leave(self, norm, x, y, training):
        """The residual stream after a sub-layer with output `y`."""
        x = x + self.residual_dropout(y, training=training)
        return x if self.norm_first else norm(x)
