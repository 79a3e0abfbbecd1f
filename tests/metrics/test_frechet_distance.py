import tracemalloc

import keras
import numpy as np
import pytest

from keras_attention import metrics
from tests.metrics.samples import with_moments
from tests.reference import samples as reference

RNG = np.random.default_rng(0)
SHAPES = RNG.standard_normal((2, 4, 4))
COVARIANCES = SHAPES @ SHAPES.transpose(0, 2, 1) + 0.1 * np.eye(4)


def distance(real, generated):
    return metrics.FrechetDistance(extractor=None)(real, generated)


def test_matches_the_equation():
    real, generated = RNG.standard_normal((20, 4)) @ SHAPES[0], RNG.standard_normal((15, 4)) @ SHAPES[1] + 0.3
    np.testing.assert_allclose(distance(real, generated), reference.frechet(real, generated), rtol=1e-9)


def test_distance_of_a_sample_to_itself_is_zero():
    for N in (30, 5, 2):
        sample = 10 * RNG.standard_normal((N, 7)) + 3
        assert 0 <= distance(sample, sample) < 1e-6
        assert 0 <= distance(sample, sample[::-1]) < 1e-6


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 2.0), (0.7, 1.0), (-1.5, 0.3)])
def test_closed_form_for_isotropic_gaussians(shift, scale):
    D = 5
    real = with_moments(RNG, 40, np.zeros(D), np.eye(D))
    generated = with_moments(RNG, 30, np.full(D, shift), scale**2 * np.eye(D))
    expected = D * shift**2 + D * (1 - scale) ** 2
    np.testing.assert_allclose(distance(real, generated), expected, atol=1e-9)


def test_closed_form_for_diagonal_covariances():
    a, b, shift = np.array([1.0, 4.0, 0.25]), np.array([9.0, 0.01, 2.0]), np.array([0.5, -1.0, 2.0])
    real, generated = with_moments(RNG, 12, np.zeros(3), np.diag(a)), with_moments(RNG, 17, shift, np.diag(b))
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum() + (shift**2).sum()
    np.testing.assert_allclose(distance(real, generated), expected, rtol=1e-9)


def test_shift_adds_its_squared_norm():
    sample = RNG.standard_normal((11, 4)) @ SHAPES[0]
    np.testing.assert_allclose(distance(sample, sample + 0.3), 4 * 0.3**2, rtol=1e-9)


def test_invariant_to_rotation_and_symmetric():
    real = with_moments(RNG, 25, np.ones(4), COVARIANCES[0])
    generated = with_moments(RNG, 20, np.zeros(4), COVARIANCES[1])
    rotation = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    expected = distance(real, generated)
    assert expected > 1
    np.testing.assert_allclose(distance(real @ rotation, generated @ rotation), expected, rtol=1e-9)
    np.testing.assert_allclose(distance(generated, real), expected, rtol=1e-9)


def test_fewer_samples_than_features():
    """Singular covariances: the trace of the root is the sum of the singular values of X Y^T of centered X, Y."""
    real, generated = RNG.standard_normal((6, 40)), 0.5 * RNG.standard_normal((9, 40)) + 0.1
    x, y = real - real.mean(axis=0), generated - generated.mean(axis=0)
    root = np.linalg.svd(x @ y.T / np.sqrt(5 * 8), compute_uv=False).sum()
    expected = ((real.mean(axis=0) - generated.mean(axis=0)) ** 2).sum() + (x**2).sum() / 5 + (y**2).sum() / 8
    np.testing.assert_allclose(distance(real, generated), expected - 2 * root, rtol=1e-9)


def test_constant_generated_samples():
    real = RNG.standard_normal((9, 4)) @ SHAPES[0]
    expected = ((real.mean(axis=0) - 0.3) ** 2).sum() + np.trace(reference.covariance(real))
    np.testing.assert_allclose(distance(real, np.full((5, 4), 0.3)), expected, rtol=1e-9)
    np.testing.assert_allclose(distance(np.zeros((3, 4)), np.full((5, 4), 0.5)), 1, rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_independent_of_the_batches_and_of_large_means(offset):
    """Sums of squares would lose precision with a mean of 1e6."""
    real, generated = RNG.standard_normal((50, 3)) + offset, 2 * RNG.standard_normal((40, 3)) + offset
    metric = metrics.FrechetDistance(extractor=None)
    for batch in np.split(real, [1, 17, 17, 30]):
        metric.update_real(batch)
    for batch in np.split(generated, [13]):
        metric.update_state(None, batch)
    np.testing.assert_allclose(metric.result(), distance(real - offset, generated - offset), rtol=1e-7)


def test_reset_generated_keeps_the_real_samples():
    metric, sample = metrics.FrechetDistance(extractor=None), RNG.standard_normal((9, 3))
    metric.update_state(sample, sample + 5)
    metric.reset_generated()
    metric.update_generated(sample + 1)
    np.testing.assert_allclose(metric.result(), 3, rtol=1e-9)
    metric.update_real(sample + 2)
    assert abs(metric.result() - 3) > 0.1, "moments of the real samples must be updated"
    metric.reset_state()
    metric.update_state(RNG.standard_normal((4, 7)), RNG.standard_normal((5, 7)))
    assert metric.result() > 0


def test_memory_is_constant_for_a_million_samples():
    D, N = 6, 10_000
    metric = metrics.FrechetDistance(extractor=None)
    batch = with_moments(RNG, N, np.zeros(D), np.eye(D)).astype("float32")
    metric.update_state(batch, batch)
    tracemalloc.start()
    for _ in range(100):
        metric.update_state(batch, 3 * batch + 2)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000 and peak < 5 * N * D * 8, (kept, peak)
    # The generated: a batch as it is, and 100 that are scaled by 3 and shifted by 2 in the direction (1, ..., 1).
    real, within, between = 101 * (N - 1), (1 + 100 * 3**2) * (N - 1), N * 100 / 101 * 2**2
    variances = np.array([within] * (D - 1) + [within + D * between]) / (101 * N - 1)
    expected = D * (200 / 101) ** 2 + ((np.sqrt(real / (101 * N - 1)) - np.sqrt(variances)) ** 2).sum()
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-6)


def test_too_few_samples_raise_errors():
    metric = metrics.FrechetDistance(extractor=None)
    with pytest.raises(ValueError, match="FrechetDistance needs at least 2 real.*0 real, 0 generated"):
        metric.result()
    metric.update_state(np.zeros((4, 3)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="4 real, 1 generated"):
        metric.result()


def test_config_round_trip():
    metric = metrics.FrechetDistance(extractor=None, name="fd")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (twin.extractor, twin.name) == (None, "fd")
    assert metrics.FrechetDistance().get_config()["extractor"] == "inception_v3"
