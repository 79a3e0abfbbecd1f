"""UnusedConvolution: the identity, with unused weights."""

import numpy as np

from keras_attention.layers import UnusedConvolution
from tests.layers.helpers import numpy, random


def test_is_the_identity_with_the_weights_of_a_convolution():
    layer, x = UnusedConvolution(4, 6), random(2, 5, 7, 3)
    np.testing.assert_array_equal(numpy(layer(x)), x)
    assert [tuple(w.shape) for w in layer.trainable_variables] == [(3, 3, 4, 6), (6,)]
    assert 0.01 < numpy(layer.kernel).std() < 0.03
