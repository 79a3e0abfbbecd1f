"""Scores against loops."""

import numpy as np
import pytest

from keras_attention import ops
from tests.backend import numpy


@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
def test_dot_product(scale):
    rng = np.random.default_rng(0)
    query, key = (
        rng.standard_normal((2, 5, 3, 4)).astype("float32"),
        rng.standard_normal((2, 7, 3, 4)).astype("float32"),
    )
    expected = np.zeros((2, 3, 5, 7))
    for b, n, t, s in np.ndindex(expected.shape):
        expected[b, n, t, s] = query[b, t, n] @ key[b, s, n] * (0.5 if scale is None else scale)
    np.testing.assert_allclose(numpy(ops.dot_product(query, key, scale)), expected, atol=1e-5)
