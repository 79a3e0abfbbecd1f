import keras
import numpy as np
import pytest

from keras_attention.layers import GlimpseSensor
from tests.layers.helpers import numpy, random
from tests.reference import glimpses as reference


@pytest.mark.parametrize("soft", [False, True])
def test_is_the_loop_of_the_paper(soft):
    images, locations = random(3, 9, 11, 2), np.clip(random(3, 2, seed=1), -1, 1)
    oracle = reference.soft_glimpse if soft else reference.glimpse
    found = numpy(GlimpseSensor(3, scales=3, factor=1.5, soft=soft)(images, locations))
    expected = [oracle(image, location, 3, 3, 1.5) for image, location in zip(images, locations)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_images_of_any_size_in_one_model():
    images, locations = keras.Input((None, None, 1)), keras.Input((2,))
    model = keras.Model([images, locations], GlimpseSensor(4, 2)(images, locations))
    assert model.output_shape == (None, 4, 4, 2)
    for sides in ((9, 11), (20, 6)):
        x, at = random(2, *sides, 1), np.array([[0.3, -0.8], [1, -1]], "float32")
        expected = [reference.glimpse(a, b, 4, 2) for a, b in zip(x, at)]
        np.testing.assert_allclose(numpy(model([x, at])), expected, atol=1e-5)


def test_uint8_images_and_locations_keep_their_precision_under_mixed_precision():
    """In bfloat16, the location 0.999 is three of 1600 pixels off."""
    sensor = GlimpseSensor(2, dtype="mixed_bfloat16")
    column = np.arange(1600, dtype="int32")[None, :, None, None] % 251
    locations = np.array([[0.999, 0.0]], "float32")
    seen = sensor(np.broadcast_to(column, (1, 1600, 4, 1)).astype("uint8"), locations)
    assert keras.backend.standardize_dtype(seen.dtype) == "bfloat16"
    row = int((0.999 + 1) / 2 * 1600)
    assert numpy(keras.ops.cast(seen, "float32"))[0, :, 0, 0].tolist() == [(row - 1) % 251, row % 251]


@pytest.mark.parametrize(
    ("name", "arguments"), [("size", {"size": 0}), ("scales", {"scales": 0}), ("factor", {"factor": 0.9})]
)
def test_bad_arguments_by_name(name, arguments):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        GlimpseSensor(**{"size": 3, **arguments})


def test_an_image_smaller_than_a_glimpse_is_refused():
    with pytest.raises(ValueError, match="smaller than a glimpse"):
        GlimpseSensor(8)(random(2, 7, 9, 1), np.zeros((2, 2), "float32"))


def test_a_symbolic_image_smaller_than_a_glimpse_is_refused():
    with pytest.raises(ValueError, match="smaller than a glimpse"):
        GlimpseSensor(8)(keras.Input((7, 9, 1)), keras.Input((2,)))
