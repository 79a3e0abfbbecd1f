"""A Toeplitz matrix from its diagonals, and its transpose."""

import numpy as np
import pytest

from keras_attention.ops.paths.toeplitz import shear, unshear
from tests.backend import numpy


@pytest.mark.parametrize("rows, columns", [(3, 5), (5, 3), (1, 4), (4, 1)])
def test_shear_and_unshear_match_the_loops(rows, columns):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, rows + columns - 1)), rng.standard_normal((2, rows, columns))
    sheared, summed = np.zeros(y.shape), np.zeros(x.shape)
    for t, s in np.ndindex(rows, columns):
        sheared[:, t, s] = x[:, s - t + rows - 1]
        summed[:, s - t + rows - 1] += y[:, t, s]
    np.testing.assert_allclose(numpy(shear(x.astype("float32"), rows, columns)), sheared, rtol=1e-6)
    np.testing.assert_allclose(numpy(unshear(y.astype("float32"), rows, columns)), summed, rtol=1e-5, atol=1e-6)
