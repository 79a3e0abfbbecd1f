import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import positions as reference


@pytest.mark.parametrize("query_offset", [0, 3])
def test_the_bias_by_distance_equals_the_dense_bias(query_offset):
    x, memory = random(2, 5, 12), random(2, 7, 10, seed=1)
    attention = noisy(layers.MultiHeadAttention(4, 3), x, memory)
    by_distance = layers.ALiBi(4)(x, memory, query_offset=query_offset)
    assert tuple(by_distance.shape) == (1, 4, 11)
    dense = reference.alibi(4, 5, 7, query_offset).astype("float32")
    np.testing.assert_allclose(reference.by_distance(numpy(by_distance), 5, 7), dense, rtol=1e-6)
    output, scores = attention(x, memory, attention_bias=by_distance, return_attention_scores=True)
    expected, expected_scores = attention(x, memory, attention_bias=dense, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)
    np.testing.assert_allclose(numpy(scores), numpy(expected_scores), atol=1e-6)
    assert np.abs(numpy(scores) - numpy(attention(x, memory, return_attention_scores=True)[1])).max() > 1e-3


def test_only_the_length_of_the_input_matters():
    ids = np.array([[3, 1, 4, 1, 5]], "int32")
    np.testing.assert_array_equal(numpy(layers.ALiBi(3)(ids)), numpy(layers.ALiBi(3)(random(1, 5, 2))))


def test_bad_arguments():
    with pytest.raises(ValueError, match="`num_heads`.*num_heads=0"):
        layers.ALiBi(0)
