"""Random numbers: those of Keras for the same seed, and the same under XLA."""

import keras
import numpy as np
import pytest

from keras_attention.ops.runtime.random_numbers import integers, normal, uniform
from tests.backend import BACKEND, numpy

DRAWS = {
    "uniform": (uniform, keras.random.uniform),
    "normal": (normal, keras.random.normal),
    "integers": (
        lambda shape, seed: integers(shape, 7, seed),
        lambda shape, seed: keras.random.randint(shape, 0, 7, seed=seed),
    ),
}
ROUNDING = {"rtol": 1e-5, "atol": 1e-6}  # of logarithm and sine
SEEDS = [0, 2**31 - 2, 2**32 - 1][: 2 if BACKEND == "torch" else 3]  # where a generator of Keras takes no larger one
each_draw = pytest.mark.parametrize("name", DRAWS)


@each_draw
@pytest.mark.parametrize("seed", SEEDS)
def test_ints_and_generators_draw_what_keras_draws(name, seed):
    ours, keras_own = DRAWS[name]
    np.testing.assert_allclose(numpy(ours((3, 5), seed)), numpy(keras_own((3, 5), seed=seed)), **ROUNDING)
    generators = [keras.random.SeedGenerator(seed) for _ in range(2)]
    for _ in range(2):
        drawn, expected = ours((3, 5), generators[0]), keras_own((3, 5), seed=generators[1])
        np.testing.assert_allclose(numpy(drawn), numpy(expected), **ROUNDING)


@each_draw
def test_a_tensor_is_a_seed(name):
    ours, _ = DRAWS[name]
    first, again, other = (numpy(ours((3, 5), keras.ops.convert_to_tensor(seed))) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_a_tensor_of_seeds_draws_each_row_by_its_own(name):
    ours, _ = DRAWS[name]
    seeds = keras.ops.arange(2000, dtype="int32")
    rows = numpy(ours((2000, 5, 2), seeds))
    np.testing.assert_allclose(rows[700:703], numpy(ours((3, 5, 2), seeds[700:703])), **ROUNDING)
    mean, variance = {"uniform": (0.5, 1 / 12), "normal": (0, 1)}[name]
    np.testing.assert_allclose(rows.mean(), mean, atol=0.02)
    np.testing.assert_allclose(rows.var(), variance, rtol=0.03)
    correlations = np.corrcoef(rows.reshape(2000, -1), rowvar=False) - np.eye(10)
    neighbors = np.corrcoef(rows[1:].ravel(), rows[:-1].ravel())[0, 1]
    assert abs(correlations).max() < 0.1 and abs(neighbors) < 0.03
    assert ours((0, 5), seeds[:0]).shape == (0, 5)
    with pytest.raises(ValueError, match=r"`seed` must be a scalar or one seed a row, shape \[3\]"):
        ours((3, 5), seeds[:2])


@each_draw
def test_no_seed_draws_anew(name):
    ours, _ = DRAWS[name]
    assert (numpy(ours((3, 5), None)) != numpy(ours((3, 5), None))).any()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="other backends have one algorithm")
@each_draw
def test_xla_draws_the_same(name):
    import tensorflow as tf

    ours, _ = DRAWS[name]
    for seed in (3, tf.constant(3)):
        compiled = tf.function(lambda seed=seed: ours((3, 5), seed), jit_compile=True, autograph=False)
        np.testing.assert_allclose(compiled(), ours((3, 5), seed), **ROUNDING)
