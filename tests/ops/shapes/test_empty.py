"""Empty axes are padded with one entry, which is cut off afterwards."""

import keras
import numpy as np
import pytest

from keras_attention.ops.shapes.empty import cut_filled, fill_empty
from tests.backend import BACKEND, numpy


def test_only_empty_axes_are_filled():
    x = keras.ops.ones((0, 3, 0, 2))
    assert tuple(fill_empty(x, 0, 1, 3).shape) == (1, 3, 0, 2)
    assert not numpy(fill_empty(x, 0, 2)).any()
    full = keras.ops.ones((2, 3))
    assert fill_empty(full, 0, 1) is full and cut_filled(full, 2, 3) is full
    assert tuple(cut_filled(fill_empty(x, 0, 2), 0, 3, 0).shape) == (0, 3, 0, 2)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere sizes are known")
def test_sizes_known_only_at_run_time():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, 3))])
    def run(x):
        filled = fill_empty(x, 0)
        assert filled.shape[1] == 3, "static sizes stay static"
        return filled, cut_filled(filled, keras.ops.shape(x)[0])

    for length, expected in ((0, 1), (2, 2)):
        filled, cut = run(tf.ones((length, 3)))
        assert filled.shape == (expected, 3) and cut.shape == (length, 3)
        np.testing.assert_array_equal(filled, np.ones((expected, 3)) * (length > 0))
