"""SpectralNormalization of transposed and depthwise convolutions, against singular values and Keras's own."""

import keras
import numpy as np
import pytest

from keras_attention.layers import SpectralNormalization
from tests.layers.helpers import numpy, random
from tests.layers.test_spectral_normalization import divided


@pytest.mark.parametrize(
    "inner",
    [
        keras.layers.Conv1DTranspose(4, 3),
        keras.layers.Conv2DTranspose(4, 3, data_format="channels_last"),
        keras.layers.Conv3DTranspose(4, 2, data_format="channels_last"),
        keras.layers.DepthwiseConv1D(3, depth_multiplier=2),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2, data_format="channels_last"),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_kernels_of_transposed_and_depthwise_convolutions_are_those_of_keras(inner):
    twin = type(inner).from_config(inner.get_config())
    x = random(2, *(6, 5, 4)[: int(type(inner).__name__.split("D")[-2][-1])], 3)
    layer, theirs = SpectralNormalization(inner, iterations=100), keras.layers.SpectralNormalization(twin, 100)
    output = numpy(layer(x))
    theirs.build(x.shape)
    twin.set_weights(inner.get_weights())
    np.testing.assert_allclose(output, numpy(theirs(x, training=True)), atol=1e-5)
    kernel = numpy(inner.kernel).astype("f8")
    sigma = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    np.testing.assert_allclose(output, divided(layer, x, sigma), atol=1e-5)
    assert layer.compute_output_shape(x.shape) == output.shape
