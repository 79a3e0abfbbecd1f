import math

import keras
import numpy as np
import pytest

from keras_attention import metrics, ops
from tests.backend import BACKEND, numpy

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 2, 4, 3)).astype("uint8")
OUTPUTS = {
    "categorical": RNG.standard_normal((3, 2, 4, 3, 256)).astype("float32"),
    "logistic_mixture": RNG.standard_normal((3, 2, 4, 20)).astype("float32"),
}


def bits(likelihood):
    return -numpy(ops.pixel_log_prob(IMAGES, OUTPUTS[likelihood], likelihood)) / math.log(2) / 3


@pytest.mark.parametrize("likelihood", OUTPUTS)
def test_averages_over_the_pixels_of_all_batches(likelihood):
    metric = metrics.BitsPerDim(likelihood)
    metric.update_state(IMAGES[:1], OUTPUTS[likelihood][:1])
    metric.update_state(IMAGES[1:], OUTPUTS[likelihood][1:])
    np.testing.assert_allclose(float(metric.result()), bits(likelihood).mean(), rtol=1e-5)
    metric.reset_state()
    for weights in (np.array([1.0, 0.0, 2.5]), RNG.random((3, 2, 4))):
        each = np.broadcast_to(weights[:, None, None] if weights.ndim == 1 else weights, (3, 2, 4))
        expected = np.average(bits(likelihood), weights=each)
        found = float(metric(IMAGES, OUTPUTS[likelihood], weights.astype("float32")))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        metric.reset_state()


def test_uniform_logits_give_8_bits_and_a_fixed_mixture_its_exact_value():
    assert abs(float(metrics.BitsPerDim()(IMAGES, np.zeros((3, 2, 4, 3, 256)))) - 8) < 1e-5
    golden = np.array([[[[0.0, 0.0, 0.1, -0.1, -2.0, -2.0, -2.0, 0.5, -0.5, 0.25]]]], "float32")
    pixel = np.array([[[[10, 128, 250]]]])
    assert abs(float(metrics.BitsPerDim("logistic_mixture")(pixel, golden)) - 10.898567) < 1e-4


def test_compiled_evaluation_and_config():
    inputs = keras.Input((2, 4, 3), dtype="float32")
    outputs = keras.layers.Dense(256)(keras.ops.expand_dims(inputs, -1))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=[metrics.BitsPerDim()], jit_compile=BACKEND == "jax")
    loss, found = model.test_on_batch(IMAGES.astype("float32") / 255, IMAGES.astype("int32"))
    np.testing.assert_allclose(found, loss / math.log(2), rtol=1e-4)
    metric = metrics.BitsPerDim("logistic_mixture", name="bits")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (twin.likelihood, twin.name) == ("logistic_mixture", "bits")
    with pytest.raises(ValueError, match="`likelihood`.*'gaussian'"):
        metrics.BitsPerDim("gaussian")
