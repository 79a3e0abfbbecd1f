"""Values of tensors that are known before a graph runs."""

import keras
import numpy as np

from keras_attention.ops.shapes.known import known_values
from tests.backend import BACKEND, needs_values


@needs_values
def test_arrays_and_eager_tensors_have_values():
    for x in ([3, -1], np.array([3, -1]), keras.ops.convert_to_tensor([3, -1])):
        assert known_values(x).tolist() == [3, -1]


def test_traced_tensors_have_no_values():
    assert known_values(keras.Input((2,))) is None
    seen = []

    def step(x):
        seen.append(known_values(x))
        return x

    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.function(step)(tf.constant([3, -1]))
    elif BACKEND == "jax":
        import jax

        jax.jit(step)(np.array([3, -1]))
    assert all(values is None for values in seen)
