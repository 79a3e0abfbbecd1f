import dates_learning
import keras
import numpy as np
from dates_text import END, PAD, START, DateText


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

    class Sample:
        text, iso = "3 juni 2019", "2019-06-03"

    source, target = dates_learning.numbers(text, [Sample])
    assert source.shape == (1, 11)
    assert target.shape == (1, 11)
    assert target[0, -1] == END


def test_the_learning_rate_is_the_papers_with_decay_to_zero():
    schedule = dates_learning.CoolingSchedule(128, steps=1000, warmup_steps=100, factor=2.0)
    again = dates_learning.CoolingSchedule.from_config(schedule.get_config())
    rates = [float(again(step)) for step in (0, 99, 500, 800, 1000)]
    expected = [2 * 128**-0.5 * min((s + 1) ** -0.5, (s + 1) * 100**-1.5) for s in (0, 99, 500, 800)]
    np.testing.assert_allclose(rates, [*expected[:3], expected[3] / 2, 0.0], rtol=1e-5)
    assert isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
