"""LocationPolicy: log density, samples, and gradients of REINFORCE."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import LocationPolicy
from tests.backend import QUICK, value_and_gradients
from tests.layers.helpers import noisy, numpy, random


def policy_at(mean, std, **kwargs):
    """A policy with this mean for every state."""
    layer = LocationPolicy(std, kernel_initializer="zeros", seed=3, **kwargs)
    layer.build((None, 1))
    layer.mean.bias.assign(np.array(mean, "float32"))
    return layer


def near_zero(states, std=0.1, **kwargs):
    """A policy with random weights, too small for any location to be clipped, and its means."""
    layer = LocationPolicy(std, **kwargs)
    layer(states)
    for weight in layer.trainable_variables:
        weight.assign(0.1 * random(*weight.shape, seed=7))
    return layer, states @ numpy(layer.mean.kernel) + numpy(layer.mean.bias)


def test_log_probs_are_the_log_density_of_two_normals():
    layer, mean = near_zero(random(5, 4))
    locations, log_probs = map(numpy, layer(random(5, 4), training=True))
    assert np.abs(locations - mean).max() > 0.01 and np.abs(locations).max() < 1
    each = -0.5 * ((locations - mean) / 0.1) ** 2 - np.log(0.1 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(log_probs, each.sum(-1), rtol=1e-4)


def test_samples_have_the_mean_and_the_standard_deviation():
    locations, _ = policy_at((0.2, -0.1), 0.05)(np.zeros((40_000, 1), "float32"), training=True)
    locations = numpy(locations)
    np.testing.assert_allclose(locations.mean(0), [0.2, -0.1], atol=4 * 0.05 / 200)
    np.testing.assert_allclose(np.cov(locations.T), 0.05**2 * np.eye(2), atol=1e-4)


def test_inference_returns_the_mean_and_training_is_repeatable_by_seed():
    states = random(5, 4)
    samples = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        layer, mean = near_zero(states, seed=seed)
        np.testing.assert_allclose(numpy(layer(states)[0]), mean, atol=1e-6)
        samples[name] = numpy(layer(states, training=True)[0])
    np.testing.assert_array_equal(samples["one"], samples["again"])
    assert np.abs(samples["one"] - samples["other"]).max() > 1e-2


NUMBER = 400_000


@pytest.mark.parametrize("baseline", [0.0, 0.158655, 0.5])
def test_reinforce_is_unbiased_for_any_baseline(baseline):
    """J = P(l > 0.3) for l ~ N(0.1, 0.2): dJ/dmean = 1.209854."""
    gradient = gradient_of_the_mean((0.1, 0.0), lambda at: (at > 0.3) - baseline)
    assert abs(gradient - 1.209854) < 4 * np.sqrt(8.6 / NUMBER)


def test_the_density_is_that_of_the_location_before_clipping():
    """R = -(clip(l) - 0.5)^2 for l ~ N(0.95, 0.2): dJ/dmean = -0.3847; at the clipped location it would be -0.2726."""
    assert abs(gradient_of_the_mean((0.95, 0.0), lambda at: -((at - 0.5) ** 2)) + 0.3847) < 0.01


def gradient_of_the_mean(mean, reward):
    """Gradient of the mean over samples of log_probs * reward(row), with respect to the row of the policy's mean."""
    states = np.zeros((NUMBER, 1), "float32")
    rows = numpy(policy_at(mean, 0.2)(states, training=True)[0])[:, 0]
    # An equal layer samples the same locations.
    return bias_gradient(policy_at(mean, 0.2), states, reward(rows.astype("float64")))[0]


def bias_gradient(layer, states, rewards):
    """Gradient of the mean of log_probs * rewards with respect to the bias of the mean."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, layer(inputs)[1])
    before = numpy(layer.mean.bias).copy()
    # A step of SGD with learning rate 1 moves the bias by the gradient.
    model.compile(keras.optimizers.SGD(1.0), lambda y, log_probs: -ops.reshape(y, (-1,)) * log_probs, **QUICK)
    model.train_on_batch(states, rewards.astype("float32"))
    return numpy(layer.mean.bias) - before


def test_gradients_reach_the_states_only_if_not_detached():
    states = random(3, 4)
    soft = {"differentiable": True}
    for arguments, reached in (({}, False), ({"detach": False}, True), (soft, False), (soft | {"detach": False}, True)):
        layer = noisy(LocationPolicy(0.5, **arguments), states)
        _, [gradient] = value_and_gradients(
            lambda x, layer=layer: ops.sum(layer(x)[0], axis=-1) + layer(x, training=True)[1] + 0 * ops.sum(x, axis=-1),
            [states],
            np.array([1.0, 2.0, 3.0], "float32"),
        )
        assert bool(np.abs(gradient).max() > 1e-3) is reached, arguments


def test_std_must_be_positive():
    for std in (0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"`std` must be a finite number greater than 0. Received: std={std}"):
            LocationPolicy(std)
