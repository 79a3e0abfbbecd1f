"""Inverse of `ImageGrid`."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_int
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class SplitChannels(BaseLayer):
    """Reshapes the columns of a grid to pixels and channels: the inverse of `ImageGrid`.

        output: [B, Y, X, C, V] of [B, Y, X C, V]

    "Image Transformer", section 3 ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)), lays the channels of a
    pixel side by side; this undoes it.

    Args:
        channels: Positive int, C.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X C, V].

    Returns:
        [B, Y, X, C, V].

    Raises:
        ValueError: If `channels` does not divide the number of columns.

    Example:

    >>> import numpy as np
    >>> tuple(SplitChannels(3)(np.ones((2, 4, 15, 6))).shape)
    (2, 4, 5, 3, 6)
    """

    def __init__(self, channels: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.channels = require_int(channels, "channels")

    def call(self, inputs: Tensor) -> Tensor:
        self.compute_output_shape(inputs.shape)
        B, Y, X = ops.shape(inputs)[:3]
        return ops.reshape(inputs, (B, Y, X // self.channels, self.channels, inputs.shape[-1]))

    def compute_output_shape(self, input_shape):
        if len(input_shape) != 4 or (input_shape[2] or 0) % self.channels:
            raise ValueError(
                f"`inputs` must be [B, Y, X C, V] with C = {self.channels}. Received: inputs.shape={tuple(input_shape)}"
            )
        B, Y, X, V = input_shape
        return B, Y, None if X is None else X // self.channels, self.channels, V

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
