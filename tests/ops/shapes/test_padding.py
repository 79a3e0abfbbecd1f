import numpy as np
import pytest
from keras import ops

from keras_attention.ops.shapes import padding
from tests.backend import BACKEND


def numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def test_padding_of_nan_becomes_zero():
    x = np.full((2, 3, 4, 5), np.nan, "float32")
    x[0, :2], x[1, :1] = 1, 2
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    result = numpy(padding.zero_padding(ops.convert_to_tensor(x), ops.convert_to_tensor(mask)))
    np.testing.assert_array_equal(result, np.nan_to_num(x))
    assert padding.zero_padding(x, None) is x


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3), (1, 3, 5), (1, 3), (2, 1, 5)])
def test_full_mask(shape):
    mask = np.random.default_rng(0).random(shape) < 0.5
    full = np.broadcast_to(mask.reshape(shape + (1,) * (3 - len(shape))), (2, 3, 5))
    np.testing.assert_array_equal(numpy(padding.full_mask(ops.convert_to_tensor(mask), (2, 3, 5))), full)


@pytest.mark.parametrize("shape", [(5, 7), (2, 5, 7), (2, 4, 5, 7), (2, 1, 7), (1, 1, 5, 7)])
def test_queries_and_keys_of_an_attention_mask(shape):
    mask = np.random.default_rng(0).random(shape) < 0.3
    full = np.broadcast_to(mask if mask.ndim != 3 else mask[:, None], (2, 4, 5, 7))
    queries, keys = padding.seen_at_all(ops.convert_to_tensor(mask))
    np.testing.assert_array_equal(np.broadcast_to(numpy(queries), (2, 5)), full.any((1, 3)))
    np.testing.assert_array_equal(np.broadcast_to(numpy(keys), (2, 7)), full.any((1, 2)))


def test_masks_of_a_layer_are_combined():
    value = np.array([[1, 1, 0], [1, 1, 1]], bool)
    key = np.array([[0, 1, 1], [1, 1, 0]], "int32")
    queries, keys = padding.padding_masks((2, 5), (2, 3), None, value, key)
    assert queries is None
    np.testing.assert_array_equal(numpy(keys), value & (key > 0))
    with pytest.raises(ValueError, match="`query_mask` must be boolean"):
        padding.padding_masks((2, 5), (2, 3), np.ones((2, 5)), None, None)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere sizes are known")
def test_full_mask_with_axes_of_one_known_only_at_run_time():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None), "bool")])
    def run(mask):
        return padding.full_mask(mask, (2, 3))

    for shape in ((2, 3), (1, 3), (2, 1)):
        mask = np.random.default_rng(0).random(shape) < 0.5
        np.testing.assert_array_equal(run(tf.constant(mask)), np.broadcast_to(mask, (2, 3)))
