import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random


def test_adds_the_row_of_each_position():
    x = random(2, 5, 12)
    layer = noisy(layers.LearnedPositionEncoding(9), x)
    table = numpy(layer.table)
    for start in (0, 4):
        np.testing.assert_allclose(numpy(layer(x, start_index=start)), x + table[start : start + 5], atol=1e-6)


def test_known_positions_beyond_the_table_are_refused():
    layer = layers.LearnedPositionEncoding(4)
    message = r"`max_length - 1`.*\(2, 5, 12\).*start_index=0.*max_length=4"
    with pytest.raises(ValueError, match=message):
        layer(random(2, 5, 12))
    with pytest.raises(ValueError, match="start_index=2"):
        layer(random(2, 3, 12), start_index=2)
    with pytest.raises(ValueError, match="start_index=-1"):
        layer(random(2, 3, 12), start_index=-1)
    with pytest.raises(ValueError, match="max_length=4"):
        layer(keras.Input((5, 12)))


def test_unknown_positions_beyond_the_table_get_the_last_row():
    x = random(2, 5, 12)
    layer = noisy(layers.LearnedPositionEncoding(6), x)
    table = numpy(layer.table)
    ours = numpy(layer(x, start_index=ops.convert_to_tensor(3, "int32")))
    np.testing.assert_allclose(ours, x + table[[3, 4, 5, 5, 5]], atol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="max_length=0"):
        layers.LearnedPositionEncoding(0)
    with pytest.raises(ValueError, match=r"\[B, T, D\].*\(2, 5\)"):
        layers.LearnedPositionEncoding(9)(random(2, 5))
