"""The Gaussian of local attention, against reference values."""

import numpy as np

from keras_attention import ops
from tests.backend import numpy


def test_reference_values():
    """Equation 10 with D = 2 and p = 1.3."""
    got = numpy(ops.gaussian_window(1.3, 4, half_width=2))
    np.testing.assert_allclose(got, [0.429557, 0.955997, 0.782705, 0.235746], atol=1e-6)


def test_zero_outside_of_the_window():
    got = numpy(ops.gaussian_window(np.array([[0.0, 3.5], [6.0, 9.9]], "float32"), 7, half_width=2))
    assert got.shape == (2, 2, 7)
    for b, t in np.ndindex(2, 2):
        p = [[0.0, 3.5], [6.0, 9.9]][b][t]
        expected = [np.exp(-((s - p) ** 2) / 2) if abs(s - p) <= 2 else 0.0 for s in range(7)]
        np.testing.assert_allclose(got[b, t], expected, atol=1e-6)
