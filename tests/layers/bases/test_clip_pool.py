import keras
import numpy as np
import pytest

from keras_attention.layers.bases.clip_pool import ClipMaxPool
from tests.layers.helpers import numpy, random


@pytest.mark.parametrize("size, strides", [((3, 3, 3), (2, 2, 2)), ((2, 1, 1), (2, 1, 1)), ((1, 3, 2), (1, 2, 1))])
def test_equals_the_pool_of_three_axes(size, strides):
    x = random(2, 5, 7, 8, 3)
    windows = [
        np.lib.stride_tricks.sliding_window_view(row, size, axis=(0, 1, 2))[:: strides[0], :: strides[1], :: strides[2]]
        for row in x
    ]
    pool = ClipMaxPool(size, strides)
    np.testing.assert_array_equal(numpy(pool(x)), np.stack(windows).max(axis=(-3, -2, -1)))
    symbolic = ClipMaxPool.from_config(pool.get_config())(keras.Input((None, None, 8, 3)))
    assert tuple(symbolic.shape) == (None, None, None, numpy(pool(x)).shape[3], 3)
