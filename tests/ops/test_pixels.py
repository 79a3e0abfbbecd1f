import math

import keras
import numpy as np
import pytest

from keras_attention.ops import pixel_log_prob
from tests.backend import COMPILED, numpy, value_and_gradients
from tests.reference.logistic_mixture import probability


def test_uniform_logits_take_eight_bits_per_value():
    values = np.random.default_rng(0).integers(0, 256, (2, 4, 3))
    bits = -numpy(pixel_log_prob(values, np.full((2, 4, 3, 256), 5.0, "float32"))) / math.log(2)
    np.testing.assert_allclose(bits, 24.0, rtol=1e-6)


@pytest.mark.parametrize("how", COMPILED)
def test_categorical_matches_the_equation_and_its_gradient(how):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 256, (2, 4, 3))
    logits = 3 * rng.standard_normal((2, 4, 3, 256))
    weights = rng.standard_normal((2, 4)).astype("float32")
    value, [gradient] = value_and_gradients(lambda x: pixel_log_prob(values, x), [logits], weights, how)
    for b, t in np.ndindex(2, 4):
        total = 0.0
        for c, v in enumerate(values[b, t]):
            probs = np.exp(logits[b, t, c]) / np.exp(logits[b, t, c]).sum()
            total += math.log(probs[v])
            expected = weights[b, t] * (np.eye(256)[v] - probs)
            np.testing.assert_allclose(gradient[b, t, c], expected, atol=1e-5)
        assert abs(value[b, t] - total) < 1e-4


def test_logistic_mixture_matches_its_equation():
    rng = np.random.default_rng(2)
    values, parameters = rng.integers(0, 256, (2, 4, 3)), rng.standard_normal((2, 4, 20)).astype("float32")
    ours = numpy(pixel_log_prob(values, parameters, "logistic_mixture"))
    for b, t in np.ndindex(2, 4):
        assert abs(ours[b, t] - math.log(probability(values[b, t], parameters[b, t].astype("float64"), 2))) < 1e-3


def test_large_logits_in_half_precision():
    logits = keras.ops.cast(np.eye(256, dtype="float32")[None, :3] * 6e4, "float16")
    ours = pixel_log_prob([[0, 1, 5]], logits)
    assert keras.backend.standardize_dtype(ours.dtype) == "float32"
    np.testing.assert_allclose(numpy(ours), [-6e4], rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "outputs", "likelihood", "message"),
    [
        ((2, 4, 3), (2, 4, 3, 255), "categorical", r"\[..., C, 256\].*\(2, 4, 3, 255\)"),
        ((2, 4, 3), (2, 4, 256), "categorical", r"\[..., C, 256\].*\(2, 4, 256\)"),
        ((2, 4, 3), (2, 5, 3, 256), "categorical", r"\(2, 4, 3\).*\(2, 5, 3, 256\)"),
        ((2, 4, 3), (2, 4, 3, 10), "logistic_mixture", r"\[..., P\].*\(2, 4, 3, 10\)"),
        ((2, 4, 3), (2, 4, 10), "dmol", "`likelihood` must be one of.*'dmol'"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, outputs, likelihood, message):
    with pytest.raises(ValueError, match=message):
        pixel_log_prob(np.zeros(shape, "int32"), np.zeros(outputs, "float32"), likelihood)
