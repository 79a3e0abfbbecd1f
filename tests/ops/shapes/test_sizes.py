import keras
import numpy as np
import pytest

from keras_attention.ops.shapes.sizes import chosen, product, shape_of, with_rank
from tests.backend import COMPILED, numpy, value_and_gradients


def test_product_of_ints_is_an_int():
    assert product(46_341, 46_341) == 46_341**2 and isinstance(product(3), int)


def test_product_of_tensors_does_not_overflow():
    size = keras.ops.convert_to_tensor(65_536, dtype="int32")
    found = product(size, 65_536, size)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(numpy(found), 65_536.0**3)


def test_shape_of_known_sizes_is_of_ints_and_others_are_read_at_run_time():
    assert shape_of(keras.ops.ones((3, 2))) == (3, 2) and shape_of(keras.KerasTensor((None, 2))) == (None, 2)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        product_of = tf.function(lambda x: shape_of(x)[0] * shape_of(x)[1])
        assert int(product_of.get_concrete_function(tf.TensorSpec((None, 2)))(tf.ones((3, 2)))) == 6


@pytest.mark.parametrize("shape, rank, after", [((3,), 3, 2), ((3, 2), 3, 1), ((3, 2), 2, 0)])
def test_with_rank_appends_axes_of_one(shape, rank, after):
    x = np.random.default_rng(0).normal(size=shape)
    y = numpy(with_rank(x, rank))
    assert y.shape == (*shape, *[1] * after)
    np.testing.assert_allclose(y.reshape(shape), x, rtol=1e-6)


RNG = np.random.default_rng(0)
X, INDEX = RNG.standard_normal((3, 4, 5)).astype("float32"), RNG.integers(0, 5, (3, 4))


def test_chosen_equals_take_along_axis():
    np.testing.assert_array_equal(numpy(chosen(X, INDEX)), np.take_along_axis(X, INDEX[..., None], -1)[..., 0])


def test_entries_not_chosen_may_be_infinite():
    wild = np.full((2, 3), np.inf, "float32")
    wild[:, 1] = 7
    np.testing.assert_array_equal(numpy(chosen(wild, np.array([1, 1]))), [7, 7])


@pytest.mark.parametrize("how", COMPILED)
def test_gradient_goes_to_the_chosen_entry(how):
    cotangent = RNG.standard_normal((3, 4)).astype("float32")
    _, [gradient] = value_and_gradients(lambda x: chosen(x, INDEX), [X], cotangent, how)
    expected = np.zeros_like(X)
    np.put_along_axis(expected, INDEX[..., None], cotangent[..., None], -1)
    np.testing.assert_array_equal(gradient, expected)
