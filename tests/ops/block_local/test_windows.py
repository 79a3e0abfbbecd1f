"""Windows against slices, and sums of windows as the transpose."""

import numpy as np
import pytest

from keras_attention.ops.block_local.windows import add_strips, add_windows, windows
from tests.backend import numpy

SIZES = [(4, 3, 0), (4, 3, 2), (3, 2, 4), (1, 5, 3), (2, 1, 5), (3, 4, 4), (1, 2, 7)]  # count, step, halo
each_size = pytest.mark.parametrize("count, step, halo", SIZES)


def given(count, step, halo):
    return np.random.default_rng(0).standard_normal((2, count * step + halo, 3)).astype("float32")


@each_size
def test_windows_are_slices(count, step, halo):
    x = given(count, step, halo)
    expected = np.stack([x[:, i * step : i * step + step + halo] for i in range(count)], 1)
    np.testing.assert_array_equal(numpy(windows(x, 1, count, step, halo)), expected)


@each_size
def test_add_windows_is_the_transpose(count, step, halo):
    """<windows(x), y> = <x, add_windows(y)>."""
    x, y = given(count, step, halo), np.random.default_rng(1).standard_normal((2, count, step + halo, 3))
    cut = numpy(windows(x, 1, count, step, halo))
    added = numpy(add_windows(y.astype("float32"), 1, step, halo))
    assert added.shape == x.shape
    np.testing.assert_allclose(np.sum(cut * y), np.sum(x * added), rtol=1e-4)


@pytest.mark.parametrize("count, step, halo", [size for size in SIZES if size[1] >= size[2] or size[0] == 1])
def test_add_strips_equals_add_windows(count, step, halo):
    y = np.random.default_rng(1).standard_normal((2, count, step + halo, 3)).astype("float32")
    expected = numpy(add_windows(y, 1, step, halo))
    np.testing.assert_allclose(numpy(add_strips(y, 1, halo)), expected, atol=1e-6)
