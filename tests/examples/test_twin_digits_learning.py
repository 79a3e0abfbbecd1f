import keras
import numpy as np
import pytest

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import twin_digits_learning as learning
import twins_data

from keras_attention import metrics

RNG = np.random.default_rng(6)
DIGITS = RNG.integers(0, 256, (7, 28, 28, 1)).astype("u1")


def taken(count, first=0, seed=5):
    return np.stack([x for (x,) in learning.batches(DIGITS, 4, seed, first).take(count).as_numpy_iterator()])


def test_a_batch_does_not_depend_on_where_the_run_starts():
    np.testing.assert_array_equal(taken(5)[3:], taken(2, first=3))
    assert np.abs(taken(2)[0] - taken(2)[1]).max() > 0
    assert np.abs(taken(1) - taken(1, seed=6)).max() > 0


def test_batches_are_of_twins():
    images = taken(1)[0]
    assert images.shape == (4, 16, 48, 1) and images.dtype == "float32" and images.min() == -1
    np.testing.assert_allclose(twins_data.agreement(images[..., 0]), 1, rtol=1e-5)


def test_features_are_means_of_each_digit():
    images = RNG.normal(size=(3, 16, 48, 1))
    found = learning.features(images)
    assert found.shape == (6, 64)
    for row, (image, first) in enumerate([(x, c) for c in (0, 32) for x in images]):
        expected = [
            image[y : y + 2, first + x : first + x + 2].mean() for y in range(0, 16, 2) for x in range(0, 16, 2)
        ]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)


class Average:
    """Stand-in for a GAN whose images are these."""

    def __init__(self, images):
        self.images, self.average = images, self

    def predict(self, inputs, **kwargs):
        assert inputs["noise"].shape == (len(self.images), 32)
        return self.images


def test_agreement_and_distance_are_those_of_the_average():
    real = learning.images_of(DIGITS, np.random.default_rng(0))
    examine = learning.examiner(real, seed=1)
    exact = examine(Average(real))
    assert exact["agreement"] == pytest.approx(1, rel=1e-5) and abs(exact["FID"]) < 1e-3
    strangers = twins_data.strangers(real[..., 0])[..., None]
    found = examine(Average(strangers))
    assert (
        found["agreement"] == pytest.approx(twins_data.agreement(strangers[..., 0]).mean())
        and found["agreement"] < 0.99
    )
    assert abs(found["FID"]) < 1e-3  # single digits are the same
    other = np.clip(real + RNG.normal(0, 0.3, real.shape), -1, 1)
    expected = metrics.FrechetDistance(extractor=None)
    expected.update_state(learning.features(real), learning.features(other))
    assert examine(Average(other))["FID"] == pytest.approx(float(expected.result()), rel=1e-5)


def test_optimizers_are_adam_without_momentum_and_in_the_ratio_of_the_paper():
    model = learning.build("self-attention", 0)
    pair = model.optimizer.generator_optimizer, model.optimizer.discriminator_optimizer
    assert [(o.beta_1, o.beta_2) for o in pair] == [(0.0, 0.9)] * 2
    np.testing.assert_allclose(float(pair[1].learning_rate), 4 * float(pair[0].learning_rate))
    same, other = learning.build("self-attention", 0), learning.build("self-attention", 1)
    for one, again in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, again)
    assert any((one != another).any() for one, another in zip(model.get_weights(), other.get_weights()))
