"""Pooling over positions and over channels, against loops; gradients and extreme values."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops import channel_pool, spatial_pool
from keras_attention.ops.gates import POOLS
from tests.backend import BACKEND, COMPILED, numpy, value_and_gradients
from tests.reference import gates as reference

RANKS = {"sequence": (3, 7, 5), "image": (3, 7, 6, 5), "volume": (3, 4, 7, 6, 5)}
each_pool = pytest.mark.parametrize("pool", POOLS)
each_rank = pytest.mark.parametrize("shape", RANKS.values(), ids=RANKS)


def images(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def some(shape, seed=1):
    """A mask that differs between images; the last image has no position that takes part."""
    mask = np.random.default_rng(seed).random(shape[:-1]) < 0.6
    mask[-1] = False
    return mask


@each_rank
@each_pool
def test_channel_pool_matches_the_formula(pool, shape):
    x = images(shape)
    np.testing.assert_allclose(numpy(channel_pool(x, pool)), reference.pool(x, pool), atol=1e-5)
    first = np.moveaxis(x, -1, 1)
    np.testing.assert_allclose(numpy(channel_pool(first, pool, channel_axis=1)), reference.pool(x, pool), atol=1e-5)


@each_rank
@each_pool
def test_masked_positions_are_ignored(pool, shape):
    x, mask = images(shape) - 3, some(shape)
    expected = reference.pool(x, pool, mask)
    assert not expected[-1].any()
    x = np.where(mask[..., None], x, np.nan).astype("float32")
    np.testing.assert_allclose(numpy(channel_pool(x, pool, mask)), expected, atol=1e-5)
    first = np.moveaxis(x, -1, 1)
    np.testing.assert_allclose(numpy(channel_pool(first, pool, mask, channel_axis=1)), expected, atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras computes in float64 on TensorFlow alone")
@each_pool
def test_float64_is_pooled_in_float64(pool):
    x, mask = images(RANKS["image"]).astype("float64") - 3, some(RANKS["image"])
    for given in (None, mask):
        np.testing.assert_allclose(numpy(channel_pool(x, pool, given)), reference.pool(x, pool, given), rtol=1e-12)


@each_rank
def test_spatial_pool_is_mean_and_max(shape):
    x = images(shape)
    for array, axis in ((x, -1), (np.moveaxis(x, -1, 1), 1)):
        mean, maximum = spatial_pool(ops.convert_to_tensor(array), axis)
        for s in np.ndindex(shape[:-1]):
            assert abs(numpy(mean)[s] - sum(x[s]) / shape[-1]) < 1e-6
            assert numpy(maximum)[s] == max(x[s])


@pytest.mark.parametrize("how", COMPILED)
@each_pool
def test_gradients_are_finite_for_zeros_and_full_masks(pool, how):
    """For an image of zeros, where a square root has no gradient, and one without any position that takes part."""
    x, mask = images((3, 7, 6, 5)), some((3, 7, 6, 5))
    x[1] = 0
    cotangent = images((3, 5), seed=2)
    for function in (lambda x: channel_pool(x, pool), lambda x: channel_pool(x, pool, mask)):
        _, [gradient] = value_and_gradients(function, [x], cotangent, how)
        assert np.isfinite(gradient).all()
        assert np.abs(gradient[0]).max() > 1e-3
    assert not gradient[~mask].any()


@each_pool
def test_large_maps_in_half_precision(pool):
    """The sum of 64 x 63 values of 100 overflows float16; the mean does not."""
    x = ops.full((1, 64, 63, 2), 100.0, dtype="float16")
    count = 64 * 63
    expected = {"avg": 100, "max": 100, "lp": 100 * count**0.5, "lse": 100 + np.log(count)}[pool]
    for mask in (None, np.ones((1, 64, 63), bool)):
        pooled = numpy(channel_pool(x, pool, mask))
        assert pooled.dtype == "float16"
        np.testing.assert_allclose(pooled, expected, rtol=2e-3)


def test_wrong_arguments_are_refused_by_name():
    with pytest.raises(ValueError, match="`pool` must be one of .*Received: pool='mean'"):
        channel_pool(images((2, 3, 4)), "mean")
    with pytest.raises(ValueError, match="`mask` must be boolean"):
        channel_pool(images((2, 3, 4)), mask=np.ones((2, 3), "float32"))
