"""Unused convolution of the published SelectionGAN."""

from typing import Unpack

import keras

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_int
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class UnusedConvolution(BaseLayer):
    """Identity layer that holds the weights of an unused 3 × 3 convolution.

        output = inputs

    The published generator of SelectionGAN ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)) has such a layer;
    with it, parameter counts and weight files agree.

    Args:
        in_channels, filters: Positive ints: the kernel is [3, 3, in_channels, filters].
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: Tensor of any shape.

    Returns:
        `inputs`.

    Example:

    >>> import numpy as np
    >>> layer = UnusedConvolution(3, 5)
    >>> tuple(layer(np.ones((1, 2))).shape), layer.count_params()
    ((1, 2), 140)
    """

    def __init__(self, in_channels: int, filters: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.in_channels = require_int(in_channels, "in_channels")
        self.filters = require_int(filters, "filters")
        self.supports_masking = True

    def build(self, input_shape):
        shape = (3, 3, self.in_channels, self.filters)
        self.kernel = self.add_weight(
            shape=shape, initializer=keras.initializers.RandomNormal(stddev=0.02), name="kernel"
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    @property
    def _features_axis(self):
        return None  # the kernel is not used

    def call(self, inputs: Tensor) -> Tensor:
        return inputs

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "in_channels": self.in_channels, "filters": self.filters}
