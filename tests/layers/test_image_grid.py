"""ImageGrid: channels become neighboring columns; the shift is that of `ops.shift_right`."""

import numpy as np
import pytest

from keras_attention import ops
from keras_attention.layers import ImageGrid
from tests.layers.helpers import numpy, random


def test_channels_become_neighbouring_columns():
    x = random(2, 3, 4, 5, 6)
    grid = numpy(ImageGrid()(x))
    for y, column, c in np.ndindex(3, 4, 5):
        np.testing.assert_array_equal(grid[:, y, 5 * column + c], x[:, y, column, c])


def test_one_embedding_per_pixel_is_unchanged():
    x = random(2, 3, 4, 6)
    np.testing.assert_array_equal(numpy(ImageGrid()(x)), x)


def test_the_shift_is_along_the_generation_order():
    x = random(2, 3, 4, 5, 6)
    shifted = numpy(ImageGrid(shift=True, block=(2, 3), each_block=True)(x))
    expected = numpy(ops.shift_right(np.reshape(x, (2, 3, 20, 6)), (2, 3), True))
    np.testing.assert_array_equal(shifted, expected)
    assert np.abs(shifted - np.reshape(x, (2, 3, 20, 6))).max() > 0.1


def test_other_ranks_are_refused():
    with pytest.raises(ValueError, match=r"`inputs` must be \[B, Y, X, C, D\] or .*Received: inputs.shape=\(2, 3, 6\)"):
        ImageGrid()(random(2, 3, 6))
