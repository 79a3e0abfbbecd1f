import numpy as np
import pytest

from keras_attention.layers import GlimpseNetwork
from tests.layers.helpers import noisy, numpy, random
from tests.reference import glimpses as reference


def relu(x):
    return np.maximum(x, 0)


def test_is_the_equation():
    images, locations = random(3, 9, 11, 2), np.clip(random(3, 2, seed=1), -1, 1)
    layer = noisy(GlimpseNetwork(3, 2, glimpse_units=7, location_units=5, units=4), images, locations)

    def dense(name, x):
        kernel, bias = map(numpy, getattr(layer, name).weights)
        return x @ kernel + bias

    for image, location, found in zip(images, locations, numpy(layer(images, locations))):
        seen = relu(dense("see", reference.glimpse(image, location, 3, 2).reshape(-1)))
        expected = relu(dense("from_seen", seen) + dense("from_place", relu(dense("place", location))))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("size", "scales", "count"), [(8, 1, 74_752), (12, 3, 121_856), (12, 4, 140_288)])
def test_parameter_counts(size, scales, count):
    layer = GlimpseNetwork(size, scales)
    layer.build((None, None, None, 1), (None, 2))
    assert layer.count_params() == count


@pytest.mark.parametrize("name", ["glimpse_units", "location_units", "units"])
def test_bad_arguments_by_name(name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        GlimpseNetwork(3, **{name: 0})


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="channels of `images` must be known"):
        GlimpseNetwork(3).build((2, 9, 11, None), (2, 2))


def test_an_image_smaller_than_a_glimpse_is_refused():
    with pytest.raises(ValueError, match="smaller than a glimpse"):
        GlimpseNetwork(8).build((2, 7, 11, 1), (2, 2))


def test_locations_are_clipped_and_nan_gives_nan():
    images = random(3, 9, 11, 2)
    far = np.array([[-7, 0.2], [1.2, 3], [np.nan, 0.1]], "float32")
    layer = noisy(GlimpseNetwork(3), images, np.zeros((3, 2), "float32"))
    found = numpy(layer(images, far))
    np.testing.assert_array_equal(found[:2], numpy(layer(images, np.clip(np.nan_to_num(far), -1, 1)))[:2])
    assert np.isnan(found[2]).all()


def test_images_of_other_channels_than_before_are_refused():
    layer = GlimpseNetwork(3)
    layer(random(1, 9, 11, 1), np.zeros((1, 2), "float32"))
    with pytest.raises(ValueError, match=r"`images` must be of size 1 on axis -1.*shape=\(1, 9, 11, 2\)"):
        layer(random(1, 9, 11, 2), np.zeros((1, 2), "float32"))
