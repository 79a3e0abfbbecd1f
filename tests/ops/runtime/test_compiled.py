"""The branch for XLA is taken under XLA only."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.ops.runtime.compiled import apart, compiled_differently


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's kernels or XLA")
def test_branches():
    import tensorflow as tf

    choose = compiled_differently(lambda x: x + 1, lambda x: x + 2)
    x = tf.constant([1.0, 2.0])
    for run, added in ((choose, 1), (tf.function(choose), 1), (tf.function(choose, jit_compile=True), 2)):
        np.testing.assert_array_equal(run(x), x + added)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="reads the program of TensorFlow's XLA")
def test_one_row_is_not_multiplied_by_code_for_one_core():
    import tensorflow as tf

    kernel, bias = tf.random.normal((48, 320)), tf.random.normal((320,))

    compiled = tf.function(lambda row: tf.square(apart(tf.matmul(row, kernel)) + bias), jit_compile=True)
    row = tf.random.normal((1, 48))
    program = compiled.experimental_get_compiler_ir(row)(stage="optimized_hlo")
    assert " dot(" in program and "kind=kOutput" not in program
    np.testing.assert_allclose(compiled(row), (row.numpy() @ kernel.numpy() + bias.numpy()) ** 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_apart_changes_nothing(dtype):
    x = ops.cast([[-np.inf, np.inf, np.nan, -0.5, 0.25]], dtype)
    found = apart(x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    np.testing.assert_array_equal(*(ops.convert_to_numpy(ops.cast(y, "float32")) for y in (found, x)))
