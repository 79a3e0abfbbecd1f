"""A trainable bias."""

from typing import Unpack

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class Bias(BaseLayer):
    """Adds a trainable bias vector to the last axis.

        output: [B, *, D] = inputs + b

    The published code of "Neural Machine Translation by Jointly Learning to Align and Translate"
    ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)) adds one to its embeddings; see `models.RNNSearch`.

    Args:
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *, D].

    Returns:
        [B, *, D].

    Example:

    >>> import numpy as np
    >>> tuple(Bias()(np.ones((2, 3, 4))).shape)
    (2, 3, 4)
    """

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.bias

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)
