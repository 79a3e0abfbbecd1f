import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import positions as reference


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("query_offset", [0, 30])
def test_is_the_table_at_the_bucket_of_each_distance(bidirectional, query_offset):
    T, S, N = 3, 40, 2
    x, memory = random(1, T, 6), random(1, S, 6)
    layer = noisy(layers.RelativePositionBias(N, 8, 20, bidirectional), x)
    table = numpy(layer.table)
    bias = numpy(layer(x, memory, query_offset=ops.convert_to_tensor(query_offset, "int32")))
    dense = reference.by_distance(bias, T, S)
    for t, s in np.ndindex(T, S):
        bucket = reference.t5_bucket(s - t - query_offset, 8, 20, bidirectional)
        np.testing.assert_allclose(dense[0, :, t, s], table[bucket])


def test_the_table_trains_through_attention():
    x = random(2, 5, 12)
    inputs = keras.Input((5, 12))
    attention, bias = layers.MultiHeadAttention(4, 3), layers.RelativePositionBias(4, 8, 20)
    model = keras.Model(inputs, attention(inputs, inputs, attention_bias=bias(inputs)))
    noisy(model, x)
    before = numpy(bias.table).copy()
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(x, random(2, 5, 12, seed=1))
    moved = np.abs(numpy(bias.table) - before).max(axis=1)
    # Distances -4..4: the buckets 0, 1, 2 (2 to 4 apart) of each direction; 3 and 7 are farther, 4 would be +0.
    assert (moved[[0, 1, 2, 5, 6]] > 1e-5).all() and (moved[[3, 4, 7]] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads`"),
        ({"num_buckets": 7}, "even.*num_buckets=7"),
        ({"num_buckets": 2}, "at least 4"),
        ({"num_buckets": 1, "bidirectional": False}, "at least 2"),
        ({"max_distance": 8}, "beyond the 8 exact buckets"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        layers.RelativePositionBias(**{"num_heads": 2, **arguments})
