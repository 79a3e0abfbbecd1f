import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import BACKEND
from tests.reference import training as reference


def rate(schedule, step):
    return float(schedule(step))


@pytest.mark.parametrize(
    "model_dim, step, expected",
    [
        (512, 1, 1.746928e-7),
        (512, 100, 1.746928e-5),
        (512, 4000, 6.987712e-4),
        (512, 100_000, 1.397542e-4),
        (1024, 4000, 4.941059e-4),
        (1024, 300_000, 5.705443e-5),
    ],
)
def test_goldens(model_dim, step, expected):
    schedule = training.TransformerSchedule(model_dim)
    np.testing.assert_allclose(rate(schedule, step), expected, rtol=1e-6)
    reference_code = training.TransformerSchedule(model_dim, variant="reference")
    np.testing.assert_allclose(rate(reference_code, step - 1), expected, rtol=1e-6)


def test_is_the_equation():
    schedule = training.TransformerSchedule(model_dim=48, warmup_steps=70, factor=3.0)
    for step in (1, 2, 69, 70, 71, 5000):
        np.testing.assert_allclose(rate(schedule, step), 3 * reference.learning_rate(step, 48, 70), rtol=1e-6)


def test_the_first_update_has_a_finite_rate():
    assert rate(training.TransformerSchedule(512), 0) == 0
    assert rate(training.TransformerSchedule(512, variant="reference"), 0) > 0


def test_drives_an_optimizer_and_config_round_trip():
    schedule = training.TransformerSchedule(model_dim=32, warmup_steps=7, factor=0.5, variant="reference")
    optimizer = keras.optimizers.Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9)
    twin = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert twin.get_config() == optimizer.get_config()
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))(5) == schedule(5)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(optimizer, "mse", jit_compile=BACKEND == "jax")
    model.fit(np.ones((6, 3)), np.ones((6, 2)), batch_size=2, verbose=0)
    np.testing.assert_allclose(float(optimizer.learning_rate), reference.learning_rate(4, 32, 7) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    "bad", [{"model_dim": 0}, {"warmup_steps": -1}, {"factor": 0.0}, {"variant": "other"}], ids=str
)
def test_bad_arguments_are_refused(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        training.TransformerSchedule(**{"model_dim": 8, **bad})
