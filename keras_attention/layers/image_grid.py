"""Input grid of the Image Transformer."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops import shift_right
from keras_attention.ops.require import require_bool, require_pair
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageGrid(BaseLayer):
    """Reshapes the channel embeddings of an image to a grid, optionally shifted by one position.

        grid:   [B, Y, X C, D] of [B, Y, X, C, D]: the channels of a pixel side by side; [B, Y, X, D] is unchanged
        output: grid, or with `shift`: `ops.shift_right(grid)`, in which each position holds the previous one

    as in "Image Transformer", section 3 ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)).

    Args:
        shift: Whether to shift the grid by one position along the generation order.
        block, each_block: See `ops.shift_right`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, C, D] or [B, Y, X, D].

    Returns:
        [B, Y, X C, D].

    Example:

    >>> import numpy as np
    >>> tuple(ImageGrid()(np.ones((2, 3, 4, 5, 6))).shape)
    (2, 3, 20, 6)
    """

    def __init__(
        self,
        shift: bool = False,
        block: Sequence[int] | None = None,
        each_block: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.shift = require_bool(shift, "shift")
        self.block = None if block is None else require_pair(block, "block")
        self.each_block = require_bool(each_block, "each_block")

    def call(self, inputs: Tensor) -> Tensor:
        self.compute_output_shape(inputs.shape)
        B, Y, X = ops.shape(inputs)[:3]
        between = inputs.shape[3] if len(inputs.shape) == 5 else 1
        grid = ops.reshape(inputs, (B, Y, X * between, inputs.shape[-1]))
        return shift_right(grid, self.block, self.each_block) if self.shift else grid

    def compute_output_shape(self, input_shape):
        if len(input_shape) not in (4, 5):
            raise ValueError(
                f"`inputs` must be [B, Y, X, C, D] or [B, Y, X, D]. Received: inputs.shape={tuple(input_shape)}"
            )
        B, Y, X, *between, D = input_shape
        return B, Y, X if X is None or not between else X * between[0], D

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "shift": self.shift, "block": self.block, "each_block": self.each_block}
