"""MultiScaleSpatialPooling against loops."""

import numpy as np
import pytest

from keras_attention.layers import MultiScaleSpatialPooling
from tests.backend import BACKEND, COMPILED, value_and_gradients
from tests.layers.helpers import numpy, random
from tests.reference import selection_gan as reference


@pytest.mark.parametrize("variant", ["paper", "reference"])
@pytest.mark.parametrize("sizes", [(1, 2, 3), (3, 1), (2, 5), (4,)], ids=str)
def test_is_the_loop(sizes, variant):
    x = random(2, 11, 8, 3)
    layer = MultiScaleSpatialPooling(sizes, variant=variant)
    expected = reference.spatial_pooling(x, sizes, with_features=variant == "reference")
    assert layer.compute_output_shape(x.shape) == expected.shape
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)


def test_a_size_of_one_squares_the_features():
    x = random(2, 5, 7, 3)
    squares, itself = np.split(numpy(MultiScaleSpatialPooling((1,))(x)), 2, axis=-1)
    np.testing.assert_allclose(squares, x**2, rtol=1e-6)
    np.testing.assert_array_equal(itself, x)


def test_one_square_scales_by_the_mean():
    x = random(2, 6, 6, 3)
    expected = x * x.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(numpy(MultiScaleSpatialPooling((6,), variant="paper")(x)), expected, atol=1e-5)


def test_remaining_rows_and_columns_are_in_no_average():
    x = random(1, 7, 8, 3)
    y = x.copy()
    y[:, 6:], y[:, :, 6:] = 9, 9
    before, after = (numpy(MultiScaleSpatialPooling((3,), variant="paper")(z))[:, :6, :6] for z in (x, y))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("how", COMPILED)
def test_gradients_are_those_of_the_loop(how):
    x, cotangent = random(2, 5, 4, 2), random(2, 5, 4, 6, seed=1)
    layer = MultiScaleSpatialPooling((2, 3))
    _, [gradient] = value_and_gradients(layer, [x], cotangent, how)
    step, wide = 1e-4, x.astype("float64")
    for at in [(0, 0, 0, 0), (1, 2, 3, 1), (0, 4, 1, 0), (1, 1, 1, 1)]:
        up, down = wide.copy(), wide.copy()
        up[at] += step
        down[at] -= step
        change = reference.spatial_pooling(up, (2, 3)) - reference.spatial_pooling(down, (2, 3))
        np.testing.assert_allclose(gradient[at], np.sum(change * cotangent) / (2 * step), rtol=1e-3, atol=1e-4)


def test_channels_first():
    x = random(2, 3, 8, 11)
    expected = reference.spatial_pooling(x.transpose(0, 2, 3, 1), (1, 4)).transpose(0, 3, 1, 2)
    output = MultiScaleSpatialPooling((1, 4), data_format="channels_first")(x)
    np.testing.assert_allclose(numpy(output), expected, atol=1e-5)


def test_unknown_sizes_in_a_graph():
    if BACKEND != "tensorflow":
        pytest.skip("only TensorFlow has graphs with unknown dimensions")
    import tensorflow as tf

    layer = tf.function(MultiScaleSpatialPooling((1, 4)), input_signature=[tf.TensorSpec((None, None, None, 3))])
    for shape in ((2, 5, 7, 3), (1, 16, 4, 3)):
        x = random(*shape)
        np.testing.assert_allclose(layer(x), reference.spatial_pooling(x, (1, 4)), atol=1e-5)


@pytest.mark.parametrize("sizes", [(), (0, 2), (2, 2), None, "14", (1.5,)])
def test_refuses_sizes(sizes):
    with pytest.raises(ValueError, match="`pool_sizes` must be .* Received: pool_sizes="):
        MultiScaleSpatialPooling(sizes)


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5, 7, None)])
def test_refuses_shapes(shape):
    with pytest.raises(ValueError, match="`inputs` must be .* Received: inputs.shape="):
        MultiScaleSpatialPooling((1,)).build(shape)


def test_refuses_features_smaller_than_a_square():
    with pytest.raises(ValueError, match="largest of `pool_sizes`. Received: inputs.shape=\\(2, 8, 9, 3\\)"):
        MultiScaleSpatialPooling()(random(2, 8, 9, 3))
