"""FirstLocation: uniformly random in training, the center in inference."""

import numpy as np

from keras_attention.layers import FirstLocation
from tests.layers.helpers import numpy

IMAGES = np.zeros((3000, 2, 3, 1), "float32")


def test_uniform_in_training():
    locations = numpy(FirstLocation(seed=5)(IMAGES, training=True))
    assert locations.shape == (3000, 2) and np.abs(locations).max() < 1
    assert np.abs(locations.mean(0)).max() < 0.05 and np.abs(locations.var(0) - 1 / 3).max() < 0.03
    assert abs(np.corrcoef(locations.T)[0, 1]) < 0.1


def test_locations_are_repeatable_by_seed_and_new_at_every_call():
    one, other = FirstLocation(seed=5), FirstLocation(seed=5)
    first = numpy(one(IMAGES[:4], training=True))
    np.testing.assert_array_equal(first, numpy(other(IMAGES[:4], training=True)))
    assert (numpy(one(IMAGES[:4], training=True)) != first).all()


def test_the_centre_in_inference():
    assert not numpy(FirstLocation()(IMAGES[:2])).any()
