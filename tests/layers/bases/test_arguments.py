"""Lists and NumPy numbers as call arguments."""

import keras
import numpy as np
import pytest

from keras_attention.layers.bases.arguments import refuse_list, standardize


def test_standardize():
    mask = standardize([[True, False], [True, True]], "mask")
    assert mask.dtype == bool and mask.tolist() == [[True, False], [True, True]]
    assert standardize((np.int64(3), 5), "lengths").tolist() == [3, 5]
    assert standardize([np.array([True, False]), np.array([True, True])], "mask").shape == (2, 2)
    for number, kind in ((np.int32(3), int), (np.array(3), int), (np.True_, bool), (np.float32(0.5), float)):
        assert type(standardize(number, "cache_index")) is kind
    assert standardize([np.int64(2), 3], "start_index") == (2, 3)


@pytest.mark.parametrize("x", [None, "full", 3, [], [None], {"key": [1]}, np.ones(2)], ids=repr)
def test_other_values_are_unchanged(x):
    assert standardize(x, "mask") is x


def test_states_stay_a_list():
    states = [np.ones((2, 3)), np.ones((2, 3))]
    assert standardize(states, "initial_state") is states
    refuse_list(states, "initial_state", ["inputs"], "GRU")


def test_lists_of_unequal_lengths_are_refused_by_name():
    with pytest.raises(ValueError, match="`mask` must be a tensor, or lists of numbers.*Received: mask="):
        standardize([[True], [True, False]], "mask")


def test_refuse_list():
    for x in ([np.ones(2), np.ones(2)], [keras.KerasTensor((2,))]):
        with pytest.raises(ValueError, match=r"`query` must be one tensor: `A`.*`layer\(query, value\)`.*a list of"):
            refuse_list(x, "query", ["query", "value"], "A")
    refuse_list([[1.0], [2.0]], "query", ["query"], "A")
    refuse_list([np.ones(2), np.ones(2)], "mask", ["query"], "A")  # rows of an array
