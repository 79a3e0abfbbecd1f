"""Half precision is computed in float32, float64 in float64 where the backend does."""

import keras
import numpy as np
import pytest

from keras_attention.ops.precision import at_least_float32
from tests.backend import BACKEND


@pytest.mark.parametrize("floatx", ["float32", "float16", "float64"])
def test_all_tensors_get_the_widest_dtype(floatx):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        for given, expected in ((("float16", "bfloat16"), "float32"), (("int32", "float16"), "float32")):
            got = at_least_float32(*(keras.ops.zeros((2,), x) for x in given))
            assert [keras.backend.standardize_dtype(x.dtype) for x in got] == [expected] * 2
        wide = "float64" if BACKEND == "tensorflow" else "float32"
        got = at_least_float32(np.zeros(2, "float64"), np.zeros(3, "float16"))
        assert [keras.backend.standardize_dtype(x.dtype) for x in got] == [wide] * 2
    finally:
        keras.config.set_floatx(before)
