import keras
import numpy as np
import pytest

from keras_attention import metrics
from keras_attention.metrics.inception_v3 import OUTPUTS
from tests.backend import numpy
from tests.models.helpers import without_memory

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (2, 40, 30, 3)).astype("uint8")


class Small:
    """Stand-in for `keras.applications.InceptionV3`: the mean of the images, and its softmax."""

    def __init__(self, weights):
        self.weights = weights

    def __call__(self):
        inputs = keras.Input((299, 299, 3))
        features = keras.layers.GlobalAveragePooling2D(name="avg_pool")(inputs)
        return keras.Model(inputs, keras.layers.Softmax(name="predictions")(features))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", lambda weights: Small(weights)())


def test_integers_and_floats_are_scaled_to_one_range(small):
    extractor = metrics.inception_v3()
    centred = IMAGES / 127.5 - 1
    means = numpy(keras.ops.mean(keras.ops.image.resize(centred.astype("float32"), (299, 299)), axis=(1, 2)))
    for images in (IMAGES, IMAGES.astype("int32"), centred.astype("float32"), keras.ops.convert_to_tensor(centred)):
        np.testing.assert_allclose(extractor(images), means, atol=1e-5)
    assert abs(means - centred.mean(axis=(1, 2))).max() < 0.02


def test_many_images_run_in_small_batches(small):
    images = RNG.uniform(-1, 1, (130, 2, 2, 3)).astype("float32")
    found = metrics.inception_v3("probabilities")(images)
    one = metrics.inception_v3("probabilities")
    for i in (0, 63, 64, 129):
        np.testing.assert_allclose(found[i], one(images[i : i + 1])[0], atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found.shape == (130, 3)


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (IMAGES.astype("float32"), r"in \[-1, 1\].*to 255"),
        (np.full((1, 4, 4, 3), np.nan, "float32"), r"in \[-1, 1\]"),
        (IMAGES.astype("int32") + 50, r"in \[-1, 1\]"),
        (IMAGES[..., :1], r"\[B, Y, X, 3\]"),
        (IMAGES[0], r"\[B, Y, X, 3\]"),
    ],
)
def test_invalid_images_raise_errors(small, images, match):
    with pytest.raises(ValueError, match=match):
        metrics.inception_v3()(images)


def test_layers_of_keras_applications():
    """The input size and the layers of the real network that the stand-in imitates."""
    with without_memory():
        network = keras.applications.InceptionV3(weights=None)
    assert network.input_shape == (None, 299, 299, 3)
    for output, size in {"features": 2048, "probabilities": 1000}.items():
        assert network.get_layer(OUTPUTS[output]).output.shape == (None, size)
    assert network.get_layer(OUTPUTS["probabilities"]).activation is keras.activations.softmax


def test_unknown_output_raises_an_error():
    with pytest.raises(ValueError, match="`output`.*'logits'"):
        metrics.inception_v3("logits")
