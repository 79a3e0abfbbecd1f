"""Bilinear resizing with aligned corners against loops."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops import resize_align_corners
from tests.backend import BACKEND, COMPILED, value_and_gradients
from tests.layers.helpers import numpy, random
from tests.reference import selection_gan as reference

SIZES = [(11, 13), (3, 4), (5, 7), (1, 9), (8, 1), (10, 3)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matches_the_loop(size):
    x = random(2, 5, 7, 3)
    np.testing.assert_allclose(numpy(resize_align_corners(x, size)), reference.resize(x, *size), atol=1e-5)


def test_one_pixel_fills_the_image():
    x = random(2, 1, 1, 3)
    np.testing.assert_allclose(numpy(resize_align_corners(x, (4, 5))), np.broadcast_to(x, (2, 4, 5, 3)))


@pytest.mark.parametrize("n", [4, 28, 64, 256])
def test_ramp_stays_a_ramp_between_the_same_corners(n):
    """In the published sizes too."""
    ramp = np.arange(n, dtype="float32")[None, :, None, None] * np.ones((1, 1, 2, 1), "float32")
    output = numpy(resize_align_corners(ramp, (256, 2)))[0, :, 0, 0]
    assert output[0] == 0 and output[-1] == n - 1
    np.testing.assert_allclose(output, np.arange(256) * (n - 1) / 255, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", COMPILED)
def test_compiled_values_and_gradients(how):
    x, cotangent = random(2, 5, 7, 3), random(2, 9, 4, 3, seed=1)

    def resize(x):
        return resize_align_corners(x, (9, 4))

    value, [gradient] = value_and_gradients(resize, [x], cotangent, how)
    np.testing.assert_allclose(value, reference.resize(x, 9, 4), atol=1e-5)
    # The map is linear: <gradient, x> = <cotangent, value>.
    np.testing.assert_allclose(np.sum(gradient * x), np.sum(value * cotangent), rtol=1e-4)


def test_sizes_known_only_at_run_time():
    if BACKEND != "tensorflow":
        pytest.skip("only TensorFlow has graphs with unknown dimensions")
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((2,), "int32")])
    def resize(x, size):
        return resize_align_corners(x, (size[0], size[1]))

    for shape, size in (((2, 5, 7, 3), (4, 9)), ((1, 3, 2, 3), (1, 6))):
        x = random(*shape)
        np.testing.assert_allclose(resize(x, size), reference.resize(x, *size), atol=1e-5)


def test_half_precision_positions_are_exact():
    """Positions are computed in float32: bfloat16 could not tell 254 from 255."""
    x = ops.cast(np.arange(28, dtype="float32").reshape((1, 28, 1, 1)), "bfloat16")
    output = resize_align_corners(x, (256, 1))
    assert "bfloat16" in str(output.dtype)
    output = numpy(ops.cast(output, "float32"))[0, :, 0, 0]
    np.testing.assert_allclose(output, np.arange(256) * 27 / 255, atol=0.11)


def test_wrong_ranks_are_refused():
    with pytest.raises(ValueError, match="`images` must be .* Received: images.shape=\\(5, 7, 3\\)"):
        resize_align_corners(random(5, 7, 3), (2, 2))


@pytest.mark.parametrize("size", [(0, 3), (2, -1), (2.5, 3), (True, 3), 3, (2, 3, 4), "23"])
def test_wrong_sizes_are_refused(size):
    with pytest.raises(ValueError, match="`size`.*Received: size="):
        resize_align_corners(random(2, 4, 5, 3), size)
