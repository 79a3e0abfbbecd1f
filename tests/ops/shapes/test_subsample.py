import numpy as np
import pytest

from keras_attention.ops.shapes.subsample import subsample, subsampled
from tests.backend import numpy
from tests.reference.non_local import max_pool

SHAPES = {"sequence": ((2, 7, 3), (2,)), "image": ((2, 5, 6, 3), (2, 2)), "clip": ((2, 3, 5, 4, 3), (1, 2, 2))}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(("shape", "windows"), SHAPES.values(), ids=SHAPES)
def test_matches_the_loop(shape, windows, masked):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype("float32") - 2  # mostly below the zero of masked positions
    mask = rng.random(shape[:-1]) < 0.25 if masked else None
    pooled, seen = subsample(x, mask)
    assert tuple(pooled.shape[:-1]) == subsampled(shape[:-1])
    there = np.ones(shape[:-1], bool) if mask is None else mask
    for i in range(2):
        expected, keys = max_pool(x[i], windows, there[i])
        np.testing.assert_allclose(numpy(pooled)[i][keys], expected[keys], rtol=1e-6)
        if masked:
            np.testing.assert_array_equal(numpy(seen)[i], keys)
            assert 0 < keys.sum() < keys.size and not numpy(pooled)[i][~keys].any()
    assert masked or seen is None


def test_unknown_sizes_stay_unknown():
    assert subsampled((None, 3, None, 5)) == (None, 3, None, 2)
    assert subsampled((2, 7)) == (2, 3)
