import keras
import numpy as np

from keras_attention.ops.sizes import product
from tests.backend import numpy


def test_of_ints_an_int():
    assert product(46_341, 46_341) == 46_341**2 and isinstance(product(3), int)


def test_of_sizes_known_late_a_number_that_does_not_overflow():
    size = keras.ops.convert_to_tensor(65_536, dtype="int32")
    found = product(size, 65_536, size)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(numpy(found), 65_536.0**3)
