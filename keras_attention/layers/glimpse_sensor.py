"""The retina of recurrent attention: what is seen of an image at a place."""

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops import glimpses, soft_glimpses
from keras_attention.ops.glimpse_sensor import require_glimpses
from keras_attention.ops.require import require_bool, require_int, require_number


@keras.saving.register_keras_serializable(package="keras_attention")
class GlimpseSensor(BaseLayer):
    r"""Cuts patches of several widths out of an image, around a place, and shrinks them to the same side.

    $$ \rho(x, l) = [\mathrm{shrink}(x[l; w_1]), \dots, \mathrm{shrink}(x[l; w_K])], \quad w_k = G f^{k - 1} $$

    as in "Recurrent Models of Visual Attention", section 3.1 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    Written out, with B batch, Y rows, X columns, C channels, G `size`, K `scales`, f `factor`:

        output: [B, G, G, K C] = ops.glimpses(images, locations, size, scales, factor)

    Places are (row, column), from (-1, -1), the upper left corner, over (0, 0), the middle, to (1, 1). Beyond the
    image there are zeros; places beyond [-1, 1] are taken as its ends; a place that is NaN gives a glimpse of NaN.
    The cost does not depend on the size of the image.

    Differs from the paper: nothing. With `soft`, which it does not have, pixels lie between those of the image
    (`ops.soft_glimpses`), and the gradient reaches the places.

    Masking: images have no padding; there is none.

    Args:
        size: Positive int G.
        scales: Positive int K.
        factor: Float f, 1 or more.
        soft: Whether the gradient reaches the places.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        images: [B, Y, X, C], integers or floats. They are not cast as a whole.
        locations: [B, 2], float32.

    Returns:
        [B, G, G, K C], of the compute dtype.

    Raises:
        ValueError: If a shape does not fit, or the image is smaller than a glimpse, as far as its sides are known.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import GlimpseSensor
    >>> tuple(GlimpseSensor(5, scales=3)(np.ones((2, 60, 50, 1)), np.zeros((2, 2), "float32")).shape)
    (2, 5, 5, 3)
    """

    def __init__(self, size, scales=1, factor=2.0, soft=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.size = require_int(size, "size")
        self.scales = require_int(scales, "scales")
        self.factor = require_number(factor, "factor", least=1)
        self.soft = require_bool(soft, "soft")

    def build(self, images_shape, locations_shape):
        require_glimpses(images_shape, locations_shape, self.size)

    def call(self, images, locations):
        look = soft_glimpses if self.soft else glimpses
        seen = look(images, ops.cast(locations, "float32"), self.size, self.scales, self.factor)
        return ops.cast(seen, self.compute_dtype)

    def compute_output_shape(self, images_shape, locations_shape):
        require_glimpses(images_shape, locations_shape, self.size)
        B, *_, C = images_shape
        return B, self.size, self.size, None if C is None else self.scales * C

    def compute_output_spec(self, images, locations):
        return keras.KerasTensor(self.compute_output_shape(images.shape, locations.shape), dtype=self.compute_dtype)

    def get_config(self):
        own = {"size": self.size, "scales": self.scales, "factor": self.factor, "soft": self.soft}
        return {**super().get_config(), **own}
