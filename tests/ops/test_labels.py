"""Labels out of range: an error where values are known, NaN in a compiled function."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.ops import logistic_mixture_log_prob, pixel_log_prob
from keras_attention.ops.labels import nan_unless_label, require_labels
from tests.backend import BACKEND, needs_values, numpy, plainly


def compiled(function, *arrays):
    """The result of `function` compiled, where no value is known; skips on PyTorch."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return numpy(tf.function(plainly(function))(*map(tf.constant, arrays)))
    if BACKEND == "jax":
        import jax

        return numpy(jax.jit(function)(*arrays))
    pytest.skip("values are always known")


@needs_values
def test_known_labels_out_of_range_are_refused_by_name():
    for good in ([0, 3], np.array([[3]], "uint8"), [0.0, 3.0], np.zeros((0,)), ops.convert_to_tensor([1, 2])):
        require_labels(good, "y_true", 4)
    for bad in ([0, 4], [-1, 3], np.array([255], "uint8"), [0.5], [np.nan], ops.convert_to_tensor([4])):
        with pytest.raises(ValueError, match="`y_true` must be whole numbers from 0 to 3. Received: values from"):
            require_labels(bad, "y_true", 4)
    require_labels(keras.Input((2,)), "y_true", 4)


def test_labels_out_of_range_give_nan():
    for labels in (np.array([-1, 0, 2, 3]), np.array([-1, 0, 2, 3], "float32"), np.array([255, 0, 2, 3], "uint8")):
        out = numpy(nan_unless_label(np.arange(4.0, dtype="float32"), labels, 3))
        np.testing.assert_array_equal(out, [np.nan, 1, 2, np.nan])


@needs_values
def test_pixel_values_out_of_range():
    outputs = np.random.default_rng(0).standard_normal((2, 3, 256)).astype("float32")
    mixture = np.random.default_rng(0).standard_normal((2, 20)).astype("float32")
    good = np.array([[0, 7, 255], [3, 4, 5]])
    for bad in (np.array([[0, 7, 256], [3, 4, 5]]), np.array([[0, 7, -1], [3, 4, 5]]), good / 255):
        with pytest.raises(ValueError, match="`values` must be whole numbers from 0 to 255"):
            pixel_log_prob(bad, outputs)
        with pytest.raises(ValueError, match="`values` must be whole numbers from 0 to 255"):
            logistic_mixture_log_prob(bad, mixture)
    for function, parameters in ((pixel_log_prob, outputs), (logistic_mixture_log_prob, mixture)):
        expected = numpy(function(good, parameters))
        found = compiled(function, np.array([[0, 7, 256], [3, 4, 5]]), parameters)
        assert np.isnan(found[0]) and abs(found[1] - expected[1]) < 1e-4
