"""Glimpse network of recurrent attention."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.glimpse_sensor import GlimpseSensor
from keras_attention.ops.glimpse_sensor import require_glimpses
from keras_attention.ops.require import require_int
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class GlimpseNetwork(BaseLayer):
    r"""Glimpse network: encodes a glimpse and its location as one vector.

    $$ g = \mathrm{ReLU}(W_{hg} h_g + b_{hg} + W_{hl} h_l + b_{hl}), \quad h_g = \mathrm{ReLU}(W_g \rho(x, l) + b_g),
       \quad h_l = \mathrm{ReLU}(W_l l + b_l) $$

    as in "Recurrent Models of Visual Attention", section 4 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    Written out, with B batch, G `size`, K `scales`, C channels:

        glimpse: [B, K G G C] = the output of `GlimpseSensor`, flattened
        h_g:     [B, glimpse_units]  = ReLU(glimpse W_g + b_g)
        h_l:     [B, location_units] = ReLU(locations W_l + b_l)
        output:  [B, units] = ReLU(h_g W_hg + b_hg + h_l W_hl + b_hl)

    Differs from the paper: nothing.

    Masking: not supported.

    Args:
        size, scales, factor, soft: See `GlimpseSensor`.
        glimpse_units: Positive int, the width of h_g.
        location_units: Positive int, the width of h_l.
        units: Positive int, the width of the output.
        kernel_initializer: Initializer of all kernels.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        images: [B, Y, X, C] with a known C.
        locations: [B, 2], (row, column), clipped to [-1, 1]; NaN gives NaN.

    Returns:
        [B, units].

    Raises:
        ValueError: If an argument is out of range, a shape does not fit, the image is smaller than a glimpse, or C is
            unknown.

    Example: the paper's, with 74,752 parameters.

    >>> import numpy as np
    >>> from keras_attention.layers import GlimpseNetwork
    >>> network = GlimpseNetwork(8)
    >>> tuple(network(np.ones((2, 28, 28, 1)), np.zeros((2, 2), "float32")).shape), network.count_params()
    ((2, 256), 74752)
    """

    def __init__(
        self,
        size: int,
        scales: int = 1,
        factor: float = 2.0,
        soft: bool = False,
        glimpse_units: int = 128,
        location_units: int = 128,
        units: int = 256,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # only the glimpses are cast, not the whole image
        self.sensor = GlimpseSensor(size, scales, factor, soft, name="sensor", dtype=self.dtype_policy)
        self.size, self.scales, self.factor, self.soft = (
            getattr(self.sensor, name) for name in ("size", "scales", "factor", "soft")
        )
        self.glimpse_units = require_int(glimpse_units, "glimpse_units")
        self.location_units = require_int(location_units, "location_units")
        self.units = require_int(units, "units")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, images_shape, locations_shape):
        require_glimpses(images_shape, locations_shape, self.size)
        B, *_, C = images_shape
        if C is None:
            raise ValueError(f"The channels of `images` must be known. Received: images.shape={tuple(images_shape)}")
        self.channels = C
        self.sensor.build(images_shape, locations_shape)
        self.see = self._dense("see", (B, self.scales * self.size**2 * C), self.glimpse_units, "relu")
        self.place = self._dense("place", (B, 2), self.location_units, "relu")
        self.from_seen = self._dense("from_seen", (B, self.glimpse_units), self.units)
        self.from_place = self._dense("from_place", (B, self.location_units), self.units)

    def call(self, images: Tensor, locations: Tensor) -> Tensor:
        glimpse = self.sensor(images, locations)
        flat = ops.reshape(glimpse, (-1, self.scales * self.size**2 * self.channels))
        location = self.place(ops.clip(ops.cast(locations, self.compute_dtype), -1.0, 1.0))
        return ops.relu(self.from_seen(self.see(flat)) + self.from_place(location))

    def compute_output_shape(self, images_shape, locations_shape):
        return (images_shape[0], self.units)

    def get_config(self):
        names = ("size", "scales", "factor", "soft", "glimpse_units", "location_units", "units")
        own = {name: getattr(self, name) for name in names}
        return {
            **super().get_config(),
            **own,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _dense(self, name, shape, units, activation=None):
        initializer = clone(self.kernel_initializer)
        dense = keras.layers.Dense(
            units, activation, kernel_initializer=initializer, name=name, dtype=self.dtype_policy
        )
        dense.build(shape)
        return dense
