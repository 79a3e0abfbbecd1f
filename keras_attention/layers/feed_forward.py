"""Position-wise feed-forward network of the Transformer."""

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.require import require_int


@keras.saving.register_keras_serializable(package="keras_attention")
class FeedForward(BaseLayer):
    r"""Position-wise feed-forward network: two dense layers.

    $$ \mathrm{FFN}(x) = \max(0, x W_1 + b_1) W_2 + b_2 $$

    as in "Attention Is All You Need", eq. 2
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, D model width, F = intermediate_dim:

        hidden: [B, T, F] = activation(inputs W_1 + b_1)
        output: [B, T, D] = hidden W_2 + b_2

    Masking: each position by itself; a Keras mask is propagated.

    Args:
        intermediate_dim: Positive int F; 4 D in the paper.
        activation: Activation between the two; `"relu"` in the paper.
        kernel_initializer: Initializer of both kernels.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [..., D].

    Returns:
        Tensor shaped like `inputs`.

    Example:

    >>> from keras_attention.layers import FeedForward
    >>> FeedForward(64)(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def __init__(self, intermediate_dim, activation="relu", kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.intermediate_dim = require_int(intermediate_dim, "intermediate_dim")
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True

    def build(self, input_shape):
        D = input_shape[-1]
        if D is None:
            raise ValueError(f"The last axis of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        self.expand = self._dense(self.intermediate_dim, "expand", self.activation)
        self.contract = self._dense(D, "contract", None)
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, inputs):
        return self.contract(self.expand(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _dense(self, units, name, activation):
        initializer = clone(self.kernel_initializer)  # the same seed for both kernels would tie them at the start
        return keras.layers.Dense(
            units, activation=activation, kernel_initializer=initializer, name=name, dtype=self.dtype_policy
        )
