import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random


def test_is_in_front_of_every_sequence():
    x = random(2, 5, 7)
    layer = noisy(layers.ClassToken(), x)
    expected = [np.concatenate([numpy(layer.token)[0], row]) for row in x]
    np.testing.assert_array_equal(numpy(layer(x)), expected)
    assert np.abs(numpy(layer.token)).min() > 0


def test_the_mask_gets_a_true_in_front():
    tokens = np.array([[5, 3, 0, 0], [0, 7, 4, 0]])
    x = keras.layers.Embedding(9, 6, mask_zero=True)(tokens)
    mask = numpy(layers.ClassToken()(x)._keras_mask)
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0, 0], [1, 0, 1, 1, 0]])
    assert layers.ClassToken().compute_mask(random(2, 4, 6)) is None


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"\[B, T, D\].*\(2, 5\)"):
        layers.ClassToken()(random(2, 5))
