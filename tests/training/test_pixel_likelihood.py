import math

import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import numpy
from tests.reference.logistic_mixture import probability

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (2, 3, 4, 3)).astype("uint8")
LOGITS = RNG.standard_normal((2, 3, 4, 3, 256)).astype("float32")
PARAMETERS = RNG.standard_normal((2, 3, 4, 20)).astype("float32")


def expected(likelihood):
    """Nats per dimension, [B, Y, X]."""
    nats = np.zeros(IMAGES.shape[:3])
    for at in np.ndindex(nats.shape):
        if likelihood == "categorical":
            for c, v in enumerate(IMAGES[at]):
                logits = LOGITS[at][c].astype("float64")
                nats[at] -= (logits[v] - math.log(np.exp(logits).sum())) / 3
        else:
            p = probability([int(v) for v in IMAGES[at]], PARAMETERS[at].astype("float64"), 2)
            nats[at] = -math.log(p) / 3
    return nats


@pytest.mark.parametrize(("likelihood", "outputs"), [("categorical", LOGITS), ("logistic_mixture", PARAMETERS)])
def test_is_the_mean_over_pixels_and_channels(likelihood, outputs):
    nats = expected(likelihood)
    loss = training.PixelNegativeLogLikelihood(likelihood)
    np.testing.assert_allclose(numpy(loss(IMAGES, outputs)), nats.mean(), rtol=1e-4)
    none = training.PixelNegativeLogLikelihood(likelihood, reduction="none")
    np.testing.assert_allclose(numpy(none(IMAGES, outputs)), nats, rtol=1e-3, atol=1e-4)
    weights = RNG.random((2, 3, 4)).astype("float32")
    np.testing.assert_allclose(numpy(none(IMAGES, outputs, weights)), nats * weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("columns", [4, 2], ids=["other-than-the-batch", "as-many-as-the-batch"])
def test_the_weight_of_an_image_holds_for_all_its_pixels(columns):
    images, logits, weights = IMAGES[:, :, :columns], LOGITS[:, :, :columns], np.array([0.25, 2.0], "float32")
    each = numpy(training.PixelNegativeLogLikelihood(reduction="none")(images, logits))
    expected = each * weights[:, None, None]
    weighted = training.PixelNegativeLogLikelihood(reduction="none")(images, logits, weights)
    np.testing.assert_allclose(numpy(weighted), expected, rtol=1e-5)
    mean = training.PixelNegativeLogLikelihood()(images, logits, sample_weight=weights)
    np.testing.assert_allclose(numpy(mean), expected.mean(), rtol=1e-5)


def test_pixel_values_are_exact_in_half_precision():
    """bfloat16 has no 255: it would be rounded to 256, which is out of range."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    logits = keras.ops.cast(10 * np.eye(256, dtype="float32")[None, None, None, 255:], "bfloat16")
    loss = training.PixelNegativeLogLikelihood()(np.full((1, 1, 1, 1), 255), logits)
    assert float(loss) < 0.02


def test_config_round_trip():
    loss = training.PixelNegativeLogLikelihood("logistic_mixture", reduction="sum", name="nll")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert twin.get_config() == loss.get_config() and twin.likelihood == "logistic_mixture"
    with pytest.raises(ValueError, match="`likelihood`.*'gaussian'"):
        training.PixelNegativeLogLikelihood("gaussian")
