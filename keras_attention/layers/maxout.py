"""Maxout layer."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_bool, require_int
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class Maxout(BaseLayer):
    r"""Dense layer followed by a max over groups of `pieces` features (maxout).

    $$ t_j = \max_{1 \le k \le P} \tilde{t}_{P (j - 1) + k}, \quad \tilde{t} = x W + b $$

    as in "Maxout Networks" ([Goodfellow et al., 2013](https://arxiv.org/abs/1302.4389)),
    and with P = 2 the readout of "Neural Machine Translation by Jointly Learning to
    Align and Translate", appendix A.2.2
    ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)). Written out:

        pieces: [..., P * units] = inputs kernel + bias
        output: [..., units] = max over groups of P neighboring pieces

    Only the max of a group gets a gradient.

    Masking: each position by itself; a Keras mask is propagated.

    Args:
        units: Positive int, the number of output features.
        pieces: Positive int P, the size of a group.
        use_bias: Whether to add a bias.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [..., D].

    Returns:
        [..., units].

    Example:

    >>> from keras_attention.layers import Maxout
    >>> neighbors = Maxout(2, kernel_initializer="identity")(keras.ops.convert_to_tensor([[1.0, 5.0, 2.0, 3.0]]))
    >>> keras.ops.convert_to_numpy(neighbors).tolist()
    [[5.0, 3.0]]
    """

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.units = require_int(units, "units")
        self.pieces = require_int(pieces, "pieces")
        self.use_bias = require_bool(use_bias, "use_bias")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.supports_masking = True

    def build(self, input_shape):
        if input_shape[-1] is None:
            raise ValueError(f"The last axis of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        self.dense = keras.layers.Dense(
            self.units * self.pieces,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            name="dense",
            dtype=self.dtype_policy,
        )
        self.dense.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        pieces = self.dense(inputs)
        pieces = ops.reshape(pieces, (*ops.shape(pieces)[:-1], self.units, self.pieces))
        return ops.max(pieces, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
