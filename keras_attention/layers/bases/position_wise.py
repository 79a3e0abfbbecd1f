"""Base class of the feed-forward networks of Transformer blocks."""

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.require import require_bool, require_int


class PositionWise(BaseLayer):
    """Base class of `FeedForward` and `GatedFeedForward`: [..., D] -> [..., D] by dense layers inside."""

    def __init__(self, intermediate_dim, activation, kernel_initializer, use_bias, **kwargs):
        super().__init__(**kwargs)
        self.intermediate_dim = require_int(intermediate_dim, "intermediate_dim")
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.use_bias = require_bool(use_bias, "use_bias")
        self.supports_masking = True

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "use_bias": self.use_bias,
        }

    def _build_contract(self, input_shape):
        self.contract = self._dense(input_shape[-1], "contract", (*input_shape[:-1], self.intermediate_dim))

    def _dense(self, units, name, input_shape, activation=None):
        if None in (units, input_shape[-1]):
            raise ValueError(f"The last axis of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        dense = keras.layers.Dense(
            units,
            activation=activation,
            use_bias=self.use_bias,
            kernel_initializer=clone(self.kernel_initializer),  # the same seed for all would tie them at the start
            name=name,
            dtype=self.dtype_policy,
        )
        dense.build(input_shape)
        return dense
