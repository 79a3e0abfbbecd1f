import convolutions
import keras
import numpy as np
import pytest

from keras_attention import analyze


def cost(model, side):
    return analyze.complexity(model, (1, side, side, 1)).multiply_adds


def test_the_cost_is_that_of_its_kernels():
    first = 12 * 20 * 9 * 3  # three filters
    second, third = 6 * 10 * 9 * 3 * 6, 3 * 5 * 9 * 6 * 12
    model = convolutions.convolutions(0, filters=3)
    assert analyze.complexity(model, (1, 12, 20, 1)).multiply_adds >= first + second + third + 12 * 10
    assert analyze.complexity(model, (1, 12, 20, 1)).multiply_adds < 1.1 * (first + second + third + 12 * 10)
    assert model(np.zeros((2, 12, 20, 1), "float32")).shape == (2, 10)


@pytest.mark.parametrize("least", [50_000, 400_000])
def test_it_is_the_smallest_that_costs_as_much(least):
    model = convolutions.of_cost(least, 20)
    filters = model.layers[0].filters
    assert cost(convolutions.convolutions(0, filters - 1), 20) < least <= cost(model, 20)


def test_the_published_one_has_eight_filters_of_ten_pixels_and_256_units():
    model = convolutions.published(60, seed=3)
    assert model.count_params() == (100 + 1) * 8 + (11 * 11 * 8 + 1) * 256 + 257 * 10
    assert model(np.zeros((2, 60, 60, 1), "float32")).shape == (2, 10)


@pytest.mark.parametrize("build", [convolutions.convolutions, lambda seed: convolutions.published(20, seed)])
def test_the_seed_gives_the_weights(build):
    one, same, other = (keras.ops.convert_to_numpy(build(seed).trainable_variables[0]) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01
