import keras
import numpy as np
import pytest

from keras_attention.training import LinearDecay
from tests.backend import BACKEND


def test_is_constant_then_linear_then_zero():
    schedule = LinearDecay(2e-4, constant_steps=30, decay_steps=20)
    rates = [float(schedule(step)) for step in range(60)]
    np.testing.assert_allclose(rates[:31], 2e-4, rtol=1e-6)
    np.testing.assert_allclose(rates[30:51], np.linspace(2e-4, 0, 21), rtol=1e-5, atol=1e-11)
    assert rates[50:] == [0.0] * 10


def test_without_constant_steps_the_decay_starts_at_once():
    schedule = LinearDecay(1.0, constant_steps=0, decay_steps=4)
    np.testing.assert_allclose([float(schedule(step)) for step in range(6)], [1, 0.75, 0.5, 0.25, 0, 0])


def test_steps_beyond_float32_are_counted_exactly():
    """float32 has no 2^24 + 1."""
    schedule = LinearDecay(1.0, constant_steps=2**24, decay_steps=4)
    assert float(schedule(np.array(2**24 + 1, "int32"))) == 0.75


def test_drives_an_optimizer():
    x = np.ones((4, 1), "float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    jit = {"tensorflow": True, "jax": True, "torch": False}[BACKEND]
    model.compile(keras.optimizers.SGD(LinearDecay(1.0, 1, 2)), lambda y, z: z, jit_compile=jit)
    model.fit(x, x, batch_size=1, shuffle=False, verbose=0)
    # The gradient is 1 each time: 1 + 1 + 1/2 + 0.
    np.testing.assert_allclose(model.get_weights()[0], [[-2.5]])


def test_config_round_trip():
    schedule = LinearDecay(2e-4, 30, 20)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert twin.get_config() == schedule.get_config()


@pytest.mark.parametrize(
    "name, value",
    [
        ("learning_rate", 0.0),
        ("learning_rate", "fast"),
        ("constant_steps", -1),
        ("constant_steps", 1.5),
        ("decay_steps", True),
        ("decay_steps", 0),
    ],
)
def test_bad_arguments_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        LinearDecay(**{"learning_rate": 1.0, "constant_steps": 1, "decay_steps": 1, name: value})
