import datetime
import itertools
import types

import dates_learning
import keras
import numpy as np
import tensorflow as tf
from dates_split import Sample
from dates_text import END, PAD, START, UNKNOWN, DateText


def test_batches_hold_every_date_once_with_little_padding():
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 40, 130)
    source = np.where(np.arange(40) < lengths[:, None], rng.integers(4, 90, (130, 40)), PAD)
    target = rng.integers(4, 14, (130, 11))
    seen = list(dates_learning.batches(source, target, 20, seed=1).as_numpy_iterator())
    rows = [row[row != PAD].tolist() for inputs, _ in seen for row in inputs["source"]]
    assert sorted(rows) == sorted(row[row != PAD].tolist() for row in source)
    assert sum(inputs["source"].size for inputs, _ in seen) < 1.4 * lengths.sum()
    for inputs, y in seen:
        np.testing.assert_array_equal(inputs["target"][:, 0], START)
        np.testing.assert_array_equal(inputs["target"][:, 1:], y[:, :-1])


def test_target_ids_end_with_the_end_token():
    text = DateText.of(["3 juni 2019-06"])
    samples = [Sample("3 juni 2019", "2019-06-03", None), Sample("juni", "", None)]
    source, target = dates_learning.numbers(text, samples)
    assert source.shape == (2, 11)
    assert target.shape == (2, 11)
    assert target[0, -1] == END and (target[0, :-1] > UNKNOWN).all()
    assert target[1].tolist() == [END] + [PAD] * 10


def test_the_learning_rate_is_the_papers_with_decay_to_zero():
    schedule = dates_learning.CoolingSchedule(128, steps=1000, warmup_steps=100, factor=2.0)
    again = dates_learning.CoolingSchedule.from_config(schedule.get_config())
    rates = [float(again(step)) for step in (0, 99, 500, 800, 1000)]
    expected = [2 * 128**-0.5 * min((s + 1) ** -0.5, (s + 1) * 100**-1.5) for s in (0, 99, 500, 800)]
    np.testing.assert_allclose(rates, [*expected[:3], expected[3] / 2, 0.0], rtol=1e-5)
    assert isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)


def test_gradients_are_clipped_and_the_rate_is_scaled_where_a_network_asks_for_it():
    compiled = {}
    model = types.SimpleNamespace(
        compile=lambda optimizer, loss, metrics: compiled.update(optimizer=optimizer),
        fit=lambda *args, **kwargs: "history",
    )
    assert dates_learning.learn(model, [], 10, factor=0.2, global_clipnorm=1.0) == "history"
    assert compiled["optimizer"].global_clipnorm == 1.0
    assert compiled["optimizer"].get_config()["learning_rate"]["config"]["factor"] == 0.2
    dates_learning.learn(model, [], 10)
    assert compiled["optimizer"].global_clipnorm is None


def test_the_calendar_has_the_days_of_1900_to_2099_and_no_others():
    days = [datetime.date(1900, 1, 1) + datetime.timedelta(days=n) for n in range(73_049)]
    assert (days[0].isoformat(), days[-1].isoformat()) == ("1900-01-01", "2099-12-31")
    written = [f"{y:04d}-{m:02d}-{d:02d}" for y, m, d in itertools.product(range(1899, 2101), range(14), range(33))]
    written += ["2019-6-03", "2019-06-03 ", "02019-06-03", "2019/06/03", ""]
    found = tf.strings.regex_full_match(tf.constant(written), dates_learning.CALENDAR).numpy()
    assert {text for text, is_day in zip(written, found) if is_day} == {day.isoformat() for day in days}
