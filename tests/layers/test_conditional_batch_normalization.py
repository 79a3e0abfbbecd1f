"""ConditionalBatchNormalization against a loop in NumPy and against Keras's BatchNormalization."""

import keras
import numpy as np
import pytest

from keras_attention.layers import ConditionalBatchNormalization
from tests.backend import BACKEND
from tests.layers.helpers import numpy, random

SHAPE, LABEL = (4, 5, 7, 6), np.array([2, 0, 2, 4], "int32")
JIT = {"tensorflow": [False, True], "jax": [True], "torch": [False]}[BACKEND]


def make(axis=-1, **kwargs):
    """A layer with random weights and positive variances."""
    layer = ConditionalBatchNormalization(**{"num_classes": 5, "axis": axis, **kwargs})
    layer.build(SHAPE if axis == -1 else (4, 6, 5, 7), (4,))
    for i, w in enumerate(layer.weights):
        noise = random(*w.shape, seed=i)
        w.assign(0.5 + noise**2 if "variance" in w.path else noise)
    return layer


def oracle(layer, x, mean, variance):
    """Eq. 5 of the paper, one number at a time."""
    gamma, beta, output = numpy(layer.gamma), numpy(layer.beta), np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        b, c = at[0], at[-1]
        normalised = (x[at] - mean[c]) / np.sqrt(variance[c] + layer.epsilon)
        output[at] = normalised * gamma[LABEL[b], c] + beta[LABEL[b], c]
    return output


def test_training_is_equation_5_with_batch_statistics():
    layer, x = make(momentum=0.9, epsilon=0.1), 2 + 3 * random(*SHAPE)
    mean, variance = x.mean((0, 1, 2), dtype="f8"), x.var((0, 1, 2), dtype="f8")
    before = [numpy(w).copy() for w in (layer.norm.moving_mean, layer.norm.moving_variance)]
    np.testing.assert_allclose(numpy(layer(x, LABEL, training=True)), oracle(layer, x, mean, variance), atol=1e-4)
    np.testing.assert_allclose(numpy(layer.norm.moving_mean), 0.9 * before[0] + 0.1 * mean, atol=1e-4)
    np.testing.assert_allclose(numpy(layer.norm.moving_variance), 0.9 * before[1] + 0.1 * variance, rtol=1e-4)


def test_inference_uses_the_moving_statistics_and_does_not_update_them():
    layer, x = make(epsilon=0.1), 2 + 3 * random(*SHAPE)
    mean, variance = (numpy(w).copy() for w in (layer.norm.moving_mean, layer.norm.moving_variance))
    np.testing.assert_allclose(numpy(layer(x, LABEL)), oracle(layer, x, mean, variance), atol=1e-4)
    np.testing.assert_array_equal(numpy(layer.norm.moving_mean), mean)
    np.testing.assert_array_equal(numpy(layer.norm.moving_variance), variance)


@pytest.mark.parametrize("training", [False, True])
def test_a_new_layer_does_not_depend_on_the_label(training):
    x, layer = random(*SHAPE), ConditionalBatchNormalization(5)
    one = numpy(layer(x, LABEL, training=training))
    np.testing.assert_array_equal(numpy(layer(x, LABEL[::-1].copy() * 0 + 3, training=training))[0], one[0])


@pytest.mark.parametrize("training", [False, True])
def test_one_class_equals_batch_normalization(training):
    x, layer = random(*SHAPE), make(num_classes=1)
    plain = keras.layers.BatchNormalization(momentum=0.999, epsilon=1e-5)
    plain.build(SHAPE)
    norm = layer.norm
    plain.set_weights([numpy(w) for w in (layer.gamma[0], layer.beta[0], norm.moving_mean, norm.moving_variance)])
    expected = numpy(plain(x, training=training))
    np.testing.assert_allclose(numpy(layer(x, 0 * LABEL, training=training)), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(norm.moving_mean), numpy(plain.moving_mean), atol=1e-6)


@pytest.mark.parametrize("jit", JIT)
def test_gradients_reach_only_the_rows_of_the_labels_in_the_batch(jit):
    layer = make()
    inputs = keras.Input(SHAPE[1:]), keras.Input((), dtype="int32")
    model = keras.Model(list(inputs), layer(*inputs))
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=jit)
    before = [numpy(w).copy() for w in (layer.gamma, layer.beta)]
    model.train_on_batch([random(*SHAPE), LABEL], random(*SHAPE, seed=1))
    for w, old in zip((layer.gamma, layer.beta), before, strict=True):
        moved = np.abs(numpy(w) - old).max(1) > 1e-6
        assert moved.tolist() == [True, False, True, False, True]


def test_channels_first_equals_channels_last():
    x, last, first = random(*SHAPE), make(), make(axis=1)
    first.set_weights(last.get_weights())
    turned = numpy(first(np.moveaxis(x, -1, 1), LABEL, training=True))
    np.testing.assert_allclose(np.moveaxis(turned, 1, -1), numpy(last(x, LABEL, training=True)), atol=1e-5)


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("num_classes", {"num_classes": 0}),
        ("momentum", {"momentum": 1.0}),
        ("epsilon", {"epsilon": 0.0}),
        ("axis", {"axis": 2}),
    ],
)
def test_bad_arguments_by_name(name, kwargs):
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        ConditionalBatchNormalization(**{"num_classes": 5, **kwargs})


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="channels of `inputs` must be known"):
        ConditionalBatchNormalization(5).build((2, 5, 7, None), (2,))
