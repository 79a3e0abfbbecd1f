"""The discretized mixture of logistics: equation, reference values, sums, gradients and samples."""

import math

import keras
import numpy as np
import pytest

from keras_attention.ops import logistic_mixture_log_prob, logistic_mixture_sample, logistic_mixture_size
from tests.backend import BACKEND, COMPILED, numpy, value_and_gradients
from tests.reference.logistic_mixture import probability

# JAX has no float64 by default.
WIDE, EXACT = ("float32", 2e-5) if BACKEND == "jax" else ("float64", 1e-12)
# One component, mu = (0, .1, -.1), log s = -2, and coefficients (.5, -.5, .25) before the tanh.
GOLDEN = [0.0, 0.0, 0.1, -0.1, -2.0, -2.0, -2.0, 0.5, -0.5, 0.25]


def log_prob(values, parameters, dtype=WIDE):
    parameters = keras.ops.convert_to_tensor(np.asarray(parameters, dtype), dtype=dtype)
    return numpy(logistic_mixture_log_prob(np.asarray(values), parameters))


def mixtures(*shape, C, K, seed=0):
    """Random parameters, with log-scales around -2 and means partly outside of [-1, 1]."""
    rng = np.random.default_rng(seed)
    parameters = rng.standard_normal((*shape, K * logistic_mixture_size(C)))
    parameters[..., K + K * C : K + 2 * K * C] -= 2.0
    return parameters


@pytest.mark.parametrize(("C", "size"), [(1, 3), (2, 6), (3, 10), (4, 15)])
def test_number_of_parameters_per_component(C, size):
    assert logistic_mixture_size(C) == size


@pytest.mark.parametrize(("C", "K"), [(1, 4), (2, 5), (3, 4), (4, 2)])
def test_matches_the_equation(C, K):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 256, (2, 5, C))
    values[0, 0], values[1, 0] = 0, 255
    parameters = mixtures(2, 5, C=C, K=K)
    ours = log_prob(values, parameters)
    expected = [[math.log(probability(values[b, t], parameters[b, t], K)) for t in range(5)] for b in range(2)]
    np.testing.assert_allclose(ours, expected, rtol=1e-4 if WIDE == "float32" else 1e-9)


def test_reference_values():
    one = [0.0, 0.0, -2.0]
    for value, expected in ((0, -7.360715), (255, -7.360715), (128, -4.234691)):
        assert abs(log_prob([value], one) - expected) < 2e-6
    pixel = log_prob([10, 128, 250], GOLDEN)
    assert abs(pixel + 22.662932) < 5e-6
    assert abs(-pixel / 3 / math.log(2) - 10.898567) < 5e-6


@pytest.mark.parametrize(
    ("mean", "log_scale"), [(0, -2), (0.3, -7), (-0.2, -9), (1.4, -3), (-1.7, -1), (0.1, 2.5), (30, -6.5), (0, 9)]
)
def test_probabilities_of_all_values_sum_to_one(mean, log_scale):
    parameters = np.tile([0.0, mean, log_scale], (256, 1))
    total = np.exp(log_prob(np.arange(256)[:, None], parameters).astype("float64")).sum()
    assert abs(total - 1) < EXACT


def test_probabilities_of_all_values_of_two_channels_sum_to_one():
    parameters = mixtures(C=2, K=3)
    pairs = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), -1)
    total = np.exp(log_prob(pairs, np.broadcast_to(parameters, (256, 256, 18))).astype("float64")).sum()
    assert abs(total - 1) < 10 * EXACT


@pytest.mark.parametrize("how", COMPILED)
def test_gradients_match_finite_differences(how):
    values = np.array([[[3, 250], [0, 100], [255, 77]], [[10, 11], [1, 254], [128, 0]]])
    parameters = mixtures(2, 3, C=2, K=4)
    weight = np.random.default_rng(3).standard_normal((2, 3)).astype("float32")
    value, [gradient] = value_and_gradients(lambda p: logistic_mixture_log_prob(values, p), [parameters], weight, how)
    reference = [[math.log(probability(values[b, t], parameters[b, t], 4)) for t in range(3)] for b in range(2)]
    np.testing.assert_allclose(value, reference, rtol=1e-4)
    for b, t, i in np.ndindex(parameters.shape):
        shifted = []
        for step in (1e-4, -1e-4):
            moved = parameters[b, t].copy()
            moved[i] += step
            shifted.append(math.log(probability(values[b, t], moved, 4)))
        expected = weight[b, t] * (shifted[0] - shifted[1]) / 2e-4
        assert abs(gradient[b, t, i] - expected) < 2e-3 * max(1, abs(expected)), (b, t, i)


@pytest.mark.parametrize("how", COMPILED)
def test_extreme_parameters_have_finite_losses_and_gradients(how):
    extreme = [
        [mean, log_scale]
        for mean in (0.0, 1.0, -1e3, 1e6)
        for log_scale in (-1e4, -7.0, -3.0, 0.0, 8.0, 50.0, 120.0, 1e4)
    ]
    parameters = np.array([[[0.0, 1e4, *e, *e] for e in extreme]]).repeat(3, 0)
    parameters = np.concatenate([parameters[..., :2], parameters[..., [2, 4, 3, 5]]], -1)
    values = np.broadcast_to(np.array([0, 131, 255])[:, None, None], (3, len(extreme), 1))
    value, [gradient] = value_and_gradients(
        lambda p: logistic_mixture_log_prob(values, p), [parameters], np.ones((3, len(extreme)), "float32"), how
    )
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert (value < 1e-6).all()


def test_log_probability_of_improbable_values_is_exact():
    """Where the difference of two sigmoids rounds to 0: P = exp(-nearer border / s) (1 - exp(-width / s))."""
    rate = math.exp(5.0)
    for value in (200, 55):
        near = abs(value / 127.5 - 1) - 1 / 255
        expected = -near * rate + math.log(1 - math.exp(-2 / 255 * rate))
        np.testing.assert_allclose(log_prob([value], [0.0, 0.0, -5.0], "float32"), expected, rtol=1e-5)


def test_half_precision_is_computed_in_float32():
    for dtype in ("float16", "bfloat16"):
        parameters = keras.ops.cast(np.array(GOLDEN, "float32"), dtype)
        ours = logistic_mixture_log_prob([10, 128, 250], parameters)
        assert keras.backend.standardize_dtype(ours.dtype) == "float32"
        assert abs(float(ours) + 22.662932) < 0.2


def sample(parameters, channels, count, seed=0, temperature=1.0):
    K = len(parameters) // logistic_mixture_size(channels)
    noise = np.random.default_rng(seed).random((count, K + channels)).astype("float32")
    repeated = np.broadcast_to(np.asarray(parameters, "float32"), (count, len(parameters)))
    return numpy(logistic_mixture_sample(repeated, channels, noise, temperature))


def test_samples_follow_the_probabilities():
    parameters = mixtures(C=2, K=3, seed=4)
    samples = sample(parameters, 2, 40_000)
    assert samples.dtype == "int32" and samples.min() >= 0 and samples.max() <= 255
    # Cells of 32 x 32 values, and single values.
    pairs = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), -1)
    p = np.exp(log_prob(pairs, np.broadcast_to(parameters, (256, 256, 18))).astype("float64"))
    for block in (32, 1):
        bins = 256 // block
        expected = p.reshape(bins, block, bins, block).sum((1, 3)).ravel() * len(samples)
        counts = np.bincount(samples[:, 0] // block * bins + samples[:, 1] // block, minlength=bins * bins)
        seen = expected > 5
        chi_square = ((counts - expected)[seen] ** 2 / expected[seen]).sum()
        assert chi_square <= seen.sum() + 4 * np.sqrt(2 * seen.sum())


def test_later_channel_is_conditioned_on_the_sampled_one():
    steep = [0.0, 0.0, 0.0, 0.0, -7.0, 5.0]  # the mean of the second is the first
    samples = sample(steep, 2, 2_000)
    assert np.abs(samples[:, 0] - samples[:, 1]).max() <= 3
    assert samples[:, 0].std() > 50


def test_low_temperature_gives_the_mean_of_the_most_probable_component():
    parameters = [0.0, 0.5, -0.6, 0.2, 0.0, 0.0]
    assert (sample(parameters, 1, 50, temperature=1e-6) == round(1.2 * 127.5)).all()
    assert sample(parameters, 1, 5_000, temperature=0.5).std() < sample(parameters, 1, 5_000).std()


def test_noise_of_zero_and_almost_one_gives_valid_samples():
    for u in (0.0, 1 - 2.0**-24):
        samples = logistic_mixture_sample([0.0, 0.0, 0.0], 1, np.array([u, u], "float32"))
        assert int(samples[0]) == (0 if u == 0 else 255)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"multiple of 10, for 3 channels.*\(2, 12\)"):
        logistic_mixture_log_prob(np.zeros((2, 3)), np.zeros((2, 12)))
    with pytest.raises(ValueError, match=r"`noise` must be 5.*\(2, 4\)"):
        logistic_mixture_sample(np.zeros((2, 20)), 3, np.zeros((2, 4)))
