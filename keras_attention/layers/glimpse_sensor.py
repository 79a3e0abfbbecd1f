"""Glimpse sensor of recurrent attention."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops import glimpses, soft_glimpses
from keras_attention.ops.glimpse_sensor import require_glimpses
from keras_attention.ops.require import require_bool, require_int, require_number
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class GlimpseSensor(BaseLayer):
    r"""Glimpse sensor: crops patches of several scales around a location and resizes them to one size.

    $$ \rho(x, l) = [\mathrm{shrink}(x[l; w_1]), \dots, \mathrm{shrink}(x[l; w_K])], \quad w_k = G f^{k - 1} $$

    as in "Recurrent Models of Visual Attention", section 3.1 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    Written out, with B batch, Y rows, X columns, C channels, G `size`, K `scales`, f `factor`:

        output: [B, G, G, K C] = ops.glimpses(images, locations, size, scales, factor)

    Locations are (row, column), from (-1, -1), the upper left corner, to (1, 1); (0, 0) is the center. They are clipped
    to [-1, 1]; NaN gives a glimpse of NaN. The image is padded with zeros. The cost does not depend on the size of the
    image.

    Differs from the paper: nothing. `soft`, which it does not have, interpolates between pixels (`ops.soft_glimpses`),
    so that the gradient reaches the locations.

    Masking: not supported.

    Args:
        size: Positive int G.
        scales: Positive int K.
        factor: Float f, 1 or more.
        soft: Whether to interpolate, so that the gradient reaches the locations.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        images: [B, Y, X, C], integers or floats; only the glimpses are cast.
        locations: [B, 2], float32.

    Returns:
        [B, G, G, K C], in the compute dtype.

    Raises:
        ValueError: If a shape does not fit, or the image is known to be smaller than a glimpse.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import GlimpseSensor
    >>> tuple(GlimpseSensor(5, scales=3)(np.ones((2, 60, 50, 1)), np.zeros((2, 2), "float32")).shape)
    (2, 5, 5, 3)
    """

    def __init__(
        self, size: int, scales: int = 1, factor: float = 2.0, soft: bool = False, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size = require_int(size, "size")
        self.scales = require_int(scales, "scales")
        self.factor = require_number(factor, "factor", least=1)
        self.soft = require_bool(soft, "soft")

    def build(self, images_shape, locations_shape):
        require_glimpses(images_shape, locations_shape, self.size)

    def call(self, images: Tensor, locations: Tensor) -> Tensor:
        cut = soft_glimpses if self.soft else glimpses
        patches = cut(images, ops.cast(locations, "float32"), self.size, self.scales, self.factor)
        return ops.cast(patches, self.compute_dtype)

    def compute_output_shape(self, images_shape, locations_shape):
        require_glimpses(images_shape, locations_shape, self.size)
        B, *_, C = images_shape
        return B, self.size, self.size, None if C is None else self.scales * C

    def compute_output_spec(self, images, locations):
        return keras.KerasTensor(self.compute_output_shape(images.shape, locations.shape), dtype=self.compute_dtype)

    def get_config(self):
        own = {"size": self.size, "scales": self.scales, "factor": self.factor, "soft": self.soft}
        return {**super().get_config(), **own}
