import keras
import numpy as np
import pytest

from keras_attention import metrics
from keras_attention.metrics.reservoir import Reservoir
from tests.reference import samples as reference

RNG = np.random.default_rng(0)


def metric(**kwargs):
    return metrics.KernelDistance(extractor=None, **kwargs)


def test_matches_the_equation():
    """With `subset_size` = number of samples, every subset is a permutation of all samples."""
    real, generated = RNG.standard_normal((9, 4)), 2 * RNG.standard_normal((9, 4)) + 0.5
    found = metric(subsets=3, subset_size=9)
    found.update_state(real, generated)
    np.testing.assert_allclose(found.result(), reference.kernel_distance(real, generated), rtol=1e-9)
    assert found.std() < 1e-9


def test_averages_over_subsets():
    real, generated = RNG.standard_normal((12, 3)), RNG.standard_normal((10, 3)) + 1
    found = metric(subsets=400, subset_size=4)
    found.update_state(real, generated)
    again = found.result()
    assert found.result() == again
    # The expectation over subsets is the estimate from all samples of each kind.
    k_real = [reference.kernel(a, b) for i, a in enumerate(real) for j, b in enumerate(real) if i != j]
    k_generated = [reference.kernel(a, b) for i, a in enumerate(generated) for j, b in enumerate(generated) if i != j]
    cross = [reference.kernel(a, b) for a in real for b in generated]
    expected = np.mean(k_real) + np.mean(k_generated) - 2 * np.mean(cross)
    assert found.std() > 0.1
    assert abs(again - expected) < 4 * found.std() / np.sqrt(400)


def test_is_unbiased():
    """For samples of one distribution the mean is 0 at any sample size, unlike that of the biased estimate."""
    found = []
    for _ in range(300):
        one = metric(subsets=1, subset_size=5)
        one.update_state(RNG.standard_normal((5, 3)), RNG.standard_normal((5, 3)))
        found.append(one.result())
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error < 0.6


def test_reservoir_is_bounded_and_uniform():
    counts = np.zeros(40)
    for seed in range(500):
        reservoir = Reservoir(8, seed)
        for batch in np.split(np.arange(40.0)[:, None], [3, 11, 30]):
            reservoir.update(batch)
        assert reservoir.rows.shape == (8, 1)
        assert len(set(reservoir.rows[:, 0])) == 8
        counts[reservoir.rows[:, 0].astype(int)] += 1
    # Each is kept with probability 0.2: 100 of 500 times, with a deviation of 9.
    assert counts.min() > 60 and counts.max() < 140


def test_memory_is_constant_for_a_million_samples():
    N = 10_000
    found = metric(subsets=2, subset_size=50, max_samples=500)
    for n in range(100):
        where = np.arange(n * N, (n + 1) * N, dtype="float32")[:, None] / 1e6
        found.update_state(where, where)
    for sample in (found._real, found._generated):
        assert sample.count == 1_000_000 and sample.kept.shape == (500, 1)
        # Uniform on [0, 1]: the mean of 500 has a standard deviation of 0.013.
        assert abs(sample.rows.mean() - 0.5) < 0.05 and abs(sample.rows.std() - 12**-0.5) < 0.03
    assert not np.array_equal(found._real.rows, found._generated.rows)
    assert abs(found.result()) < 1


def test_independent_of_the_batches():
    real, generated = RNG.standard_normal((60, 4)), RNG.standard_normal((50, 4)) + 1
    whole, parts = (metric(subsets=5, subset_size=10, max_samples=20) for _ in range(2))
    whole.update_state(real, generated)
    for batch in np.split(generated, [1, 24]):
        parts.update_generated(batch)
    for batch in np.split(real, [15, 15, 31]):
        parts.update_real(batch)
    assert parts.result() == whole.result()
    assert parts._real.rows.shape == (20, 4)


def test_reset_generated_keeps_the_real_samples():
    found = metric(subsets=2, subset_size=4)
    found.update_state(RNG.standard_normal((9, 3)), RNG.standard_normal((9, 3)) + 9)
    far = found.result()
    found.reset_generated()
    with pytest.raises(ValueError, match="KernelDistance needs at least 4 real.*9 real, 0 generated"):
        found.result()
    found.update_generated(RNG.standard_normal((4, 3)))
    assert found.result() < far / 10


def test_too_few_samples_raise_errors():
    found = metric(subset_size=5)
    found.update_state(np.zeros((5, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="at least 5 real.*5 real, 4 generated"):
        found.std()


@pytest.mark.parametrize(
    "kwargs", [{"subsets": 0}, {"subset_size": 1}, {"max_samples": 999}, {"subset_size": 20_000}, {"subsets": 2.5}]
)
def test_invalid_arguments_raise_errors(kwargs):
    name = "max_samples" if kwargs.get("subset_size") == 20_000 else next(iter(kwargs))
    with pytest.raises(ValueError, match=f"`{name}`"):
        metric(**kwargs)


def test_config_round_trip():
    one = metric(subsets=7, subset_size=30, max_samples=90, seed=3, name="kd")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
    assert twin.get_config() == one.get_config()
    assert (twin.subsets, twin.subset_size, twin.max_samples, twin.seed, twin.name) == (7, 30, 90, 3, "kd")
