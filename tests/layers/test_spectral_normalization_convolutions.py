"""SpectralNormalization of transposed and depthwise convolutions, against singular values and Keras's layer."""

import keras
import numpy as np
import pytest

from keras_attention.layers import SpectralNormalization
from tests.layers.helpers import numpy, random
from tests.layers.test_spectral_normalization import divided
from tests.variants import variants

CONVOLUTIONS = {
    "Conv1DTranspose": {"filters": 4, "kernel_size": 3},
    "Conv2DTranspose": {"filters": 4, "kernel_size": 3, "data_format": "channels_last"},
    "Conv3DTranspose": {"filters": 4, "kernel_size": 2, "data_format": "channels_last"},
    "DepthwiseConv1D": {"kernel_size": 3, "depth_multiplier": 2},
    "DepthwiseConv2D": {"kernel_size": 3, "depth_multiplier": 2, "data_format": "channels_last"},
}


@pytest.mark.parametrize("name", variants(CONVOLUTIONS.keys(), "Conv2DTranspose", "DepthwiseConv1D"))
def test_transposed_and_depthwise_convolutions_equal_keras(name):
    init = CONVOLUTIONS[name]
    # Made here, after the seed is set: how fast the power iteration converges depends on the kernel.
    inner, twin = (getattr(keras.layers, name)(**init) for _ in range(2))
    x = random(2, *(6, 5, 4)[: int(name.split("D")[-2][-1])], 3)
    layer, theirs = SpectralNormalization(inner, iterations=100), keras.layers.SpectralNormalization(twin, 100)
    output = numpy(layer(x))
    theirs.build(x.shape)
    twin.set_weights(inner.get_weights())
    np.testing.assert_allclose(output, numpy(theirs(x, training=True)), atol=1e-5)
    kernel = numpy(inner.kernel).astype("f8")
    sigma = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    np.testing.assert_allclose(output, divided(layer, x, sigma), atol=1e-5)
    assert layer.compute_output_shape(x.shape) == output.shape
