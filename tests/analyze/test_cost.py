import math

import pytest

from keras_attention.analyze import Cost


def test_costs_add_up_and_the_shorter_path_counts():
    total = Cost(2, 3, 5, 7, 11) + Cost(13, 17, 19, 4, 23) + Cost(activation_bytes=1)
    assert total == Cost(15, 20, 24, 4, 35)
    assert Cost().longest_path == math.inf


def test_repeated_calls_share_their_parameters():
    assert Cost(2, 3, 5, 7, 11).times(4) == Cost(8, 3, 20, 7, 44)


def test_nothing_else_is_added():
    with pytest.raises(TypeError):
        Cost() + 1
