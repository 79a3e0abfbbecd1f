"""Multi-scale spatial pooling of SelectionGAN."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.gate import VARIANTS
from keras_attention.ops import resize_align_corners
from keras_attention.ops.require import require_choice, require_data_format, require_ints
from keras_attention.ops.shapes.sizes import below
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiScaleSpatialPooling(BaseLayer):
    r"""Multi-scale spatial pooling: multiplies features by their own average poolings at several scales.

    $$ F' = [F \odot up(pool_{p_1}(F)), \dots, F \odot up(pool_{p_n}(F)), \; F] $$

    as in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)). Written out,
    with B batch, Y × X positions, C channels, p a size of `pool_sizes` and n their number:

        averages: [B, Y // p, X // p, C]   = mean over windows of p × p positions
        scaled:   [B, Y, X, C]             = inputs * bilinear resizing of the averages to Y × X
        output:   [B, Y, X, C (n + 1)]     = concatenation of scaled for each p and of inputs

    The resizing aligns corners (`ops.resize_align_corners`). Incomplete windows at the end are dropped. A size of 1
    squares the features.

    Differs from the paper: by default, as in its published code, the features themselves are concatenated to the scaled
    ones; with `variant="paper"` they are not, and the output is [B, Y, X, C n].

    No weights.

    Args:
        pool_sizes: Different positive ints p; 1, 4 and 9 in the published code.
        variant: `"reference"` or `"paper"`.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, Y, X]); `None` means
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, C], with Y and X at least the largest of `pool_sizes`.

    Returns:
        [B, Y, X, C (n + 1)], or [B, Y, X, C n] with `variant="paper"`.

    Raises:
        ValueError: If an argument is out of range, the rank is not 4, C is unknown, or the features are smaller than a
            window.

    Example:

    >>> from keras_attention.layers import MultiScaleSpatialPooling
    >>> tuple(MultiScaleSpatialPooling((1, 2, 3))(keras.ops.ones((2, 5, 7, 4))).shape)
    (2, 5, 7, 16)
    """

    def __init__(
        self,
        pool_sizes: Sequence[int] = (1, 4, 9),
        variant: str = "reference",
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.pool_sizes = require_ints(pool_sizes, "pool_sizes", least=1)
        if not self.pool_sizes or len(set(self.pool_sizes)) < len(self.pool_sizes):
            raise ValueError(f"`pool_sizes` must be different positive ints. Received: pool_sizes={pool_sizes!r}")
        self.variant = require_choice(variant, "variant", VARIANTS)
        self.data_format = require_data_format(data_format)

    def build(self, input_shape):
        self._check(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        self._check(inputs.shape)
        last = self.data_format == "channels_last"
        x = inputs if last else ops.moveaxis(inputs, 1, -1)
        scaled = [x * _surroundings(x, p) for p in self.pool_sizes]
        output = ops.concatenate([*scaled, x] if self.variant == "reference" else scaled, axis=-1)
        return output if last else ops.moveaxis(output, -1, 1)

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        parts = len(self.pool_sizes) + (self.variant == "reference")
        shape, axis = list(input_shape), self._axis
        shape[axis] = parts * shape[axis]
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "pool_sizes": list(self.pool_sizes),
            "variant": self.variant,
            "data_format": self.data_format,
        }

    @property
    def _axis(self):
        """The axis of the channels."""
        return -1 if self.data_format == "channels_last" else 1

    def _check(self, shape):
        received = f"Received: inputs.shape={tuple(shape)}"
        if len(shape) != 4 or shape[self._axis] is None:
            raise ValueError(f"`inputs` must be [B, Y, X, C] (channels_first: [B, C, Y, X]) with a known C. {received}")
        positions = shape[1:3] if self._axis == -1 else shape[2:]
        if any(below(n, max(self.pool_sizes)) for n in positions):
            raise ValueError(
                f"`inputs` must have at least as many rows and columns as the largest of `pool_sizes`. {received}, "
                f"pool_sizes={self.pool_sizes}"
            )


def _surroundings(x, size):
    """Average pooling of x [B, Y, X, C], resized to its size."""
    if size == 1:
        return x
    averages = ops.average_pool(x, size, size, padding="valid", data_format="channels_last")
    return resize_align_corners(averages, ops.shape(x)[1:3])
