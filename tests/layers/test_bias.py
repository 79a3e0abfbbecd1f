"""Bias adds its vector to the features and propagates masks."""

import keras
import numpy as np

from keras_attention.layers import Bias
from tests.layers.helpers import numpy, random


def test_adds_its_vector_to_the_last_axis():
    layer, x = Bias(), random(2, 5, 3)
    layer.build(x.shape)
    layer.bias.assign(np.array([1.0, -2.0, 4.0], "float32"))
    np.testing.assert_allclose(numpy(layer(x)), x + np.array([1.0, -2.0, 4.0]), atol=1e-6)


def test_starts_at_zero_and_propagates_the_mask():
    x = keras.layers.Masking()(np.array([[[1.0, 2.0], [0.0, 0.0]]], "float32"))
    output = Bias()(x)
    np.testing.assert_array_equal(numpy(output), numpy(x))
    assert numpy(output._keras_mask).tolist() == [[True, False]]
