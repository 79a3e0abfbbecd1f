"""Base class of the feed-forward networks of Transformer blocks."""

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.require import require_bool, require_int


@keras.saving.register_keras_serializable(package="keras_attention")
def gelu_tanh(x):
    r"""GELU by its approximation with tanh, as the published code of GPT-2 computes it; Keras's `"gelu"` is exact.

    $$ \frac{x}{2} \left(1 + \tanh\left(\sqrt{2 / \pi} \, (x + 0.044715 x^3)\right)\right) $$

    ([Hendrycks & Gimpel, 2016](https://arxiv.org/abs/1606.08415), section 2.)
    """
    return keras.activations.gelu(x, approximate=True)


def activation_of(given):
    """An activation as `keras.activations.get` gives it; or `gelu_tanh`, which Keras has no name for."""
    return gelu_tanh if isinstance(given, str) and given == "gelu_tanh" else keras.activations.get(given)


class PositionWise(BaseLayer):
    """Base class of `FeedForward` and `GatedFeedForward`: [..., D] -> [..., D] by dense layers inside."""

    def __init__(self, intermediate_dim, activation, kernel_initializer, use_bias, **kwargs):
        super().__init__(**kwargs)
        self.intermediate_dim = require_int(intermediate_dim, "intermediate_dim")
        self.activation = activation_of(activation)
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
