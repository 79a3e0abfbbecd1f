"""Generation orders and the shift along them, also where blocks do not divide the image."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.ops import pixel_order as generation
from keras_attention.ops import shift_right
from tests.backend import BACKEND, COMPILED, numpy, value_and_gradients
from tests.pairs import all_pairs
from tests.reference import generation as reference

SIZES = [(6, 8, None), (6, 8, (2, 4)), (5, 7, (2, 3)), (3, 4, (8, 3)), (4, 3, (2, 8)), (7, 10, (3, 4)), (1, 1, (2, 2))]


@pytest.mark.parametrize(("Y", "X", "block"), SIZES, ids=str)
def test_order_matches_the_loop_and_its_inverse(Y, X, block):
    expected = reference.positions(Y, X, block)
    rows, columns = generation.generation_coordinates(ops.arange(Y * X), Y, X, block)
    assert list(zip(numpy(rows).tolist(), numpy(columns).tolist())) == expected
    indices = generation.generation_index(*np.transpose(expected), Y, X, block)
    assert numpy(indices).tolist() == list(range(Y * X))
    begins = numpy(generation.begins_block(ops.arange(Y * X), Y, X, block))
    qh, qw = block or (Y, X)
    assert begins.tolist() == [row % qh == 0 and column % qw == 0 for row, column in expected]


@pytest.mark.parametrize(("Y", "X", "block"), SIZES, ids=str)
def test_image_to_sequence_and_back(Y, X, block):
    image = np.random.default_rng(0).standard_normal((2, Y, X, 3)).astype("float32")
    sequence = generation.to_sequence(image, block)
    for p, (row, column) in enumerate(reference.positions(Y, X, block)):
        np.testing.assert_array_equal(numpy(sequence)[:, p], image[:, row, column])
    np.testing.assert_array_equal(numpy(generation.to_image(sequence, Y, X, block)), image)


@pytest.mark.parametrize(("size", "each_block", "how"), all_pairs(SIZES, [False, True], COMPILED), ids=str)
def test_shift_and_its_gradient_match_the_loop(size, each_block, how):
    Y, X, block = size
    rng = np.random.default_rng(0)
    image = np.arange(1, Y * X + 1).reshape(Y, X)
    source = np.array(reference.shifted(image, block, each_block))  # which pixel, from 1; 0 is none
    x, cotangent = rng.standard_normal((2, 2, Y, X, 3)).astype("float32")
    expected, gradient = np.zeros_like(x), np.zeros_like(x)
    for row, column in np.ndindex(Y, X):
        if source[row, column]:
            before = divmod(source[row, column] - 1, X)
            expected[:, row, column] = x[:, *before]
            gradient[:, *before] += cotangent[:, row, column]
    value, [found] = value_and_gradients(lambda x: shift_right(x, block, each_block), [x], cotangent, how)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(found, gradient)


def test_shift_matches_the_published_code():
    image = np.arange(1, 17).reshape(1, 4, 4)
    along = [[0, 1, 6, 3], [2, 5, 4, 7], [8, 9, 14, 11], [10, 13, 12, 15]]
    assert numpy(shift_right(image, (2, 2)))[0].tolist() == along
    each = [[0, 1, 0, 3], [2, 5, 4, 7], [0, 9, 0, 11], [10, 13, 12, 15]]
    assert numpy(shift_right(image, (2, 2), each_block=True))[0].tolist() == each


@pytest.mark.parametrize(("block", "blocks"), [((16, 16), 12), ((8, 16), 24)])
def test_shift_loses_one_value_per_image_or_per_block(block, blocks):
    """Of the 32 x 96 values of a CIFAR-10 image, with blocks shifted separately or not."""
    image = np.arange(1, 32 * 96 + 1).reshape(1, 32, 96)
    everything = set(image.ravel().tolist())
    for each_block, lost in ((False, 1), (True, blocks)):
        kept = set(numpy(shift_right(image, block, each_block)).ravel().tolist()) - {0}
        assert len(everything - kept) == lost
    assert everything - set(numpy(shift_right(image)).ravel().tolist()) == {32 * 96}


class Around(keras.layers.Layer):
    """The functions in a layer, in which Keras leaves sizes unknown."""

    def call(self, x):
        _, Y, X = ops.shape(x)[:3]
        again = generation.to_image(generation.to_sequence(x, (2, 3)), Y, X, (2, 3))
        return ops.concatenate([shift_right(x), shift_right(x, (2, 3)), again], axis=-1)


def test_sizes_known_only_at_run_time():
    x = np.random.default_rng(0).standard_normal((2, 5, 7, 3)).astype("float32")
    expected = np.concatenate([numpy(shift_right(x)), numpy(shift_right(x, (2, 3))), x], axis=-1)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, Around()(inputs))
    assert tuple(model.output.shape) == (None, None, None, 9)
    np.testing.assert_array_equal(numpy(model(x)), expected)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        graph = tf.function(Around(), input_signature=[tf.TensorSpec((None, None, None, 3))])
        np.testing.assert_array_equal(numpy(graph(x)), expected)
