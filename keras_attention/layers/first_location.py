"""Location of the first glimpse."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_seed
from keras_attention.ops.runtime.random_numbers import uniform
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class FirstLocation(BaseLayer):
    """Location of the first glimpse: uniformly random in training, otherwise the center of the image.

        location: [B, 2] = (y, x), each uniform in [-1, 1) if `training`, else 0

    as in "Recurrent Models of Visual Attention", section 4.1 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    The paper does not say where the first glimpse of inference is.

    Args:
        seed: Int, seed of the random locations.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        images: [B, Y, X, C]; only B is used.
        training: Whether the location is random.

    Returns:
        [B, 2], float32.

    Example:

    >>> import numpy as np
    >>> keras.ops.convert_to_numpy(FirstLocation()(np.ones((1, 8, 8, 3)))).tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, seed: int | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(autocast=False, **kwargs)
        self.seed = require_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def call(self, images: Tensor, training: bool | None = None) -> Tensor:
        shape = (ops.shape(images)[0], 2)
        if not training:
            return ops.zeros(shape, dtype="float32")
        return 2.0 * uniform(shape, self.seed_generator) - 1.0

    def compute_output_shape(self, images_shape):
        return (images_shape[0], 2)

    def compute_output_spec(self, images, training=None):
        return keras.KerasTensor(self.compute_output_shape(images.shape), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
