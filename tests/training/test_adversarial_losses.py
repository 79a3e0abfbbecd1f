import math

import keras
import numpy as np
import pytest

from keras_attention import training

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(scale=2, size=(5, 1)), RNG.normal(scale=2, size=(7, 1))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(f, logits):
    return sum(f(float(x)) for x in logits.ravel()) / logits.size


EXPECTED = {
    "hinge": (
        mean(lambda x: max(0, 1 - x), REAL) + mean(lambda x: max(0, 1 + x), FAKE),
        -mean(lambda x: x, FAKE),
    ),
    "bce": (
        -mean(lambda x: math.log(sigmoid(x)), REAL) - mean(lambda x: math.log(1 - sigmoid(x)), FAKE),
        -mean(lambda x: math.log(sigmoid(x)), FAKE),
    ),
    "kl": (
        mean(lambda x: math.log(1 + math.exp(-x)), REAL) + mean(lambda x: math.log(1 + math.exp(x)), FAKE),
        -mean(lambda x: x, FAKE),
    ),
}


def functions(kind):
    return getattr(training, f"{kind}_discriminator_loss"), getattr(training, f"{kind}_generator_loss")


@pytest.mark.parametrize("kind", EXPECTED)
def test_is_the_equation(kind):
    discriminator_loss, generator_loss = functions(kind)
    np.testing.assert_allclose(float(discriminator_loss(REAL, FAKE)), EXPECTED[kind][0], rtol=1e-6)
    # The logits nearly cancel, so that the error is the rounding of numbers near 1.
    np.testing.assert_allclose(float(generator_loss(FAKE)), EXPECTED[kind][1], rtol=1e-6, atol=1e-6)


def test_hinge_loss_is_zero_beyond_the_margin_and_two_at_zero():
    discriminator_loss, generator_loss = functions("hinge")
    assert float(discriminator_loss([[1.0], [3.0]], [[-1.0], [-2.0], [-9.0]])) == 0
    assert float(discriminator_loss([[0.0], [0.0]], [[0.0]])) == 2
    assert float(generator_loss([[0.0]])) == 0


@pytest.mark.parametrize("kind", ["bce", "kl"])
def test_large_logits_stay_finite(kind):
    discriminator_loss, generator_loss = functions(kind)
    assert float(discriminator_loss([[-1e4]], [[1e4]])) == pytest.approx(2e4)
    assert float(generator_loss([[-1e4]])) == pytest.approx(1e4)


@pytest.mark.parametrize("kind", EXPECTED)
def test_half_precision_is_summed_in_single(kind):
    """2048 + 1 is 2048 in float16: a mean of many logits in half precision would lose them."""
    logits = keras.ops.cast(np.full((4096, 1), 0.75), "float16")
    discriminator_loss, generator_loss = functions(kind)
    for loss in (discriminator_loss(logits, logits), generator_loss(logits)):
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert float(generator_loss(logits)) == pytest.approx(float(generator_loss(np.full((1, 1), 0.75))), rel=1e-6)


def test_the_auxiliary_classifier_loss_is_a_cross_entropy():
    labels, logits = np.array([2, 0, 3]), RNG.normal(size=(3, 4))
    expected = -sum(row[label] - math.log(sum(math.exp(x) for x in row)) for label, row in zip(labels, logits)) / 3
    np.testing.assert_allclose(float(training.auxiliary_classifier_loss(labels, logits)), expected, rtol=1e-6)
