"""One optimizer of two: what its learning rate means to Keras's callbacks, and what it refuses."""

import keras
import numpy as np
import pytest

from tests.backend import QUICK, numpy
from tests.training import stand_ins

RATES = np.array([1e-2, 4e-2])


def make(rates=RATES, **how):
    return stand_ins.model(networks=stand_ins.plain, rates=rates, **(how or QUICK))


def rates(model):
    pair = model.optimizer
    return np.array([float(numpy(o.learning_rate)) for o in (pair.generator_optimizer, pair.discriminator_optimizer)])


def fit(model, *callbacks, epochs):
    return model.fit(*stand_ins.data(6), epochs=epochs, verbose=0, callbacks=list(callbacks)).history


def test_each_optimizer_has_its_own_rate_and_settings():
    pair = stand_ins.model().optimizer
    for optimizer, rate in zip((pair.generator_optimizer, pair.discriminator_optimizer), RATES):
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.0, 0.9)
    assert float(pair.learning_rate) == pytest.approx(RATES[0])


def test_learning_rate_scheduler_sets_both_rates():
    model = make()
    history = fit(model, keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2), epochs=2)
    np.testing.assert_allclose(rates(model), RATES / 4, rtol=1e-5)
    np.testing.assert_allclose(history["learning_rate"], [RATES[0] / 2, RATES[0] / 4], rtol=1e-5)


def test_the_ratio_of_the_rates_outlasts_a_rate_of_zero():
    model = make()
    fit(model, keras.callbacks.LearningRateScheduler([0.0, 3e-3].__getitem__), epochs=1)
    np.testing.assert_array_equal(rates(model), [0, 0])
    model.optimizer.learning_rate = 3e-3
    np.testing.assert_allclose(rates(model), [3e-3, 12e-3], rtol=1e-5)


def test_reduce_on_plateau_reduces_both_rates():
    model = make()
    plateau = keras.callbacks.ReduceLROnPlateau("generator_loss", mode="min", factor=0.1, patience=1, min_delta=1e9)
    fit(model, plateau, epochs=2)
    np.testing.assert_allclose(rates(model), RATES / 10, rtol=1e-5)


def test_early_stopping_stops():
    stop = keras.callbacks.EarlyStopping("generator_loss", mode="min", patience=1, min_delta=1e9)
    assert len(fit(make(), stop, epochs=5)["generator_loss"]) == 2


def test_one_rate_is_set_alone():
    model = make()
    model.optimizer.discriminator_optimizer.learning_rate = 0.1
    np.testing.assert_allclose(rates(model), [RATES[0], 0.1], rtol=1e-6)
    model.optimizer.learning_rate = 2e-2  # now with the new ratio
    np.testing.assert_allclose(rates(model), [2e-2, 0.2], rtol=1e-5)


def test_rates_of_scaled_optimizers_are_set():
    keras.config.set_dtype_policy("mixed_float16")
    model = make()
    assert isinstance(model.optimizer.generator_optimizer, keras.optimizers.LossScaleOptimizer)
    model.optimizer.learning_rate = 1e-3
    np.testing.assert_allclose(rates(model), RATES / 10, rtol=1e-5)


@pytest.mark.parametrize("scheduled", [0, 1])
def test_a_schedule_is_refused_before_either_rate_changes(scheduled):
    given = list(RATES)
    given[scheduled] = keras.optimizers.schedules.CosineDecay(RATES[scheduled], 10)
    model = make(given)
    with pytest.raises(TypeError, match="`LearningRateSchedule`"):
        model.optimizer.learning_rate = 1e-3
    np.testing.assert_allclose(rates(model), RATES, rtol=1e-5)


def test_values_without_a_meaning_for_both_are_refused():
    with pytest.raises(ValueError, match="`learning_rate` must be a number.*Received: learning_rate="):
        make().optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(1e-3, 10)
    with pytest.raises(ValueError, match="has been 0 since `compile`"):
        make((0.0, 1e-3)).optimizer.learning_rate = 1e-3


def test_optimizers_that_cannot_be_paired_are_refused():
    pair, same = stand_ins.model().optimizer, keras.optimizers.Adam(1e-3)
    other = stand_ins.model(compiled=False)
    with pytest.raises(ValueError, match="need an optimizer each"):
        other.compile(same, same)
    with pytest.raises(ValueError, match="`generator_optimizer` belongs to another model"):
        other.compile(pair.generator_optimizer, same)
    with pytest.raises(ValueError, match="`discriminator_optimizer` may not have `use_ema=True`"):
        other.compile(same, keras.optimizers.SGD(0.1, use_ema=True))
