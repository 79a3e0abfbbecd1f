import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.precision import dtypes_of, in_float32
from keras_attention.export.signatures import concrete, own_signature
from tests.export.models import noisy

HALF = {tf.float16, tf.bfloat16}
OFFSET = np.array([0.5, -1.0, 2.0], "float32")


def recurrent(dtype, constant=OFFSET):
    """A loop and a constant, on signals [B, T, 3]."""
    x = keras.Input((None, 3), name="x")
    shifted = keras.layers.Activation("relu", dtype=dtype)(keras.ops.add(x, tf.constant(constant)))
    return noisy(
        keras.Model(x, keras.layers.LSTM(4, recurrent_initializer="zeros", return_sequences=True, dtype=dtype)(shifted))
    )


def traced(model):
    specs = own_signature(model, lengths={}).specs()
    return concrete(own_signature(model, lengths={}), specs), specs


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_equals_the_model_in_float32(dtype, tmp_path):
    model, whole = recurrent(dtype), recurrent("float32")
    for weight, half in zip(whole.weights, model.weights, strict=True):
        weight.assign(keras.ops.cast(half, "float32"))
    function, specs = traced(model)
    changed = in_float32(function, specs, HALF)
    assert HALF & dtypes_of(function) and not HALF & dtypes_of(changed)
    assert not changed.variables
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 7, 3)), tf.float32)
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=changed)
    [got], expected = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](x=x).values(), whole(x)
    assert got.dtype == tf.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(model(x).numpy().astype("float32") - expected).max() > 1e-4


def test_other_dtypes_stay():
    function, specs = traced(recurrent("mixed_bfloat16"))
    assert tf.bfloat16 in dtypes_of(in_float32(function, specs, {tf.float16}))
    x = keras.Input((3,), name="x")
    halves = keras.Sequential([x, *(keras.layers.Dense(4, dtype=dtype) for dtype in ("float16", "bfloat16"))])
    found = dtypes_of(in_float32(*traced(halves), {tf.float16}))
    assert tf.bfloat16 in found and tf.float16 not in found


def test_inputs_in_half_precision_are_cast():
    x = keras.Input((3,), dtype="float16", name="x")
    function, specs = traced(keras.Model(x, keras.layers.Activation("tanh", dtype="float16")(x)))
    x = np.array([[0.1, -2.0, 3.0]], "float16")
    [got] = in_float32(function, specs, HALF)(x=tf.constant(x)).values()
    np.testing.assert_allclose(got, np.tanh(x.astype("float32")), rtol=1e-6)
