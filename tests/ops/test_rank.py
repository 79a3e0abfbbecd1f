"""Weights of images weigh all their pixels."""

import numpy as np
import pytest

from keras_attention.ops.rank import with_rank
from tests.backend import numpy


@pytest.mark.parametrize("shape, rank, after", [((3,), 3, 2), ((3, 2), 3, 1), ((3, 2), 2, 0)])
def test_axes_of_one_come_after_the_others(shape, rank, after):
    x = np.random.default_rng(0).normal(size=shape)
    y = numpy(with_rank(x, rank))
    assert y.shape == (*shape, *[1] * after)
    np.testing.assert_allclose(y.reshape(shape), x, rtol=1e-6)
