"""The branch for XLA is taken under XLA only."""

import keras
import numpy as np
import pytest

from keras_attention.ops.paths.compiled import compiled_differently


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's kernels or XLA")
def test_branches():
    import tensorflow as tf

    choose = compiled_differently(lambda x: x + 1, lambda x: x + 2)
    x = tf.constant([1.0, 2.0])
    for run, added in ((choose, 1), (tf.function(choose), 1), (tf.function(choose, jit_compile=True), 2)):
        np.testing.assert_array_equal(run(x), x + added)
