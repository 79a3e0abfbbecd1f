"""SpectralNormalization against loops and singular values."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import SpectralNormalization
from keras_attention.ops import spectral_step
from tests.backend import BACKEND, QUICK
from tests.layers.helpers import numpy, random
from tests.reference import spectral as reference
from tests.variants import variants

# What is wrapped, an input, and the kernel as a matrix [I, O].
KINDS = {
    "dense": (lambda: keras.layers.Dense(4, "tanh"), random(2, 5, 3), lambda w: w),
    "conv1d": (lambda: keras.layers.Conv1D(4, 3), random(2, 5, 3), lambda w: w.reshape(9, 4)),
    "conv2d": (
        lambda: keras.layers.Conv2D(4, (3, 2), 2, padding="same"),
        random(2, 6, 5, 3),
        lambda w: w.reshape(18, 4),
    ),
    "conv3d": (lambda: keras.layers.Conv3D(4, 2), random(2, 4, 3, 5, 3), lambda w: w.reshape(24, 4)),
    # The last axis of its kernel is that of the inputs.
    "conv2d_transpose": (
        lambda: keras.layers.Conv2DTranspose(4, (3, 2)),
        random(2, 6, 5, 3),
        lambda w: w.reshape(24, 3),
    ),
    "heads": (
        lambda: keras.layers.EinsumDense("btd,nhd->btnh", (None, 2, 6), bias_axes="nh"),
        random(2, 5, 3),
        lambda w: np.moveaxis(w, 2, 0).reshape(3, 12),
    ),
    "einsum": (
        lambda: keras.layers.EinsumDense("...nh,nhd->...d", 4),
        random(2, 5, 6, 3),
        lambda w: w.reshape(18, 4),
    ),
    "embedding": (lambda: keras.layers.Embedding(7, 4), np.array([[1, 0, 6], [2, 3, 1]]), lambda w: w.T),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind="dense", scale=3.0, **kwargs):
    """A built layer with random weights, its input and its kernel variable."""
    create, x, _ = KINDS[kind]
    layer = SpectralNormalization(create(), **kwargs)
    layer(x)
    for i, w in enumerate(layer.weights):
        w.assign(scale * random(*w.shape, seed=i))
    return layer, x, kernel_of(layer)


def kernel_of(layer):
    return layer.layer.embeddings if isinstance(layer.layer, keras.layers.Embedding) else layer.layer.kernel


def matrix(kind, kernel):
    return KINDS[kind][2](numpy(kernel).astype("f8"))


def divided(layer, x, by):
    """The output of the wrapped layer with its kernel divided by a number."""
    twin = type(layer.layer).from_config(layer.layer.get_config())
    twin.build(x.shape)
    twin.set_weights([numpy(w) / (by if w is kernel_of(layer) else 1) for w in layer.layer.weights])
    return numpy(twin(x))


@pytest.mark.parametrize(("kind", "iterations"), [*((kind, 3) for kind in KINDS), ("dense", 1)])
def test_is_the_layer_with_the_kernel_divided_by_sigma(kind, iterations):
    layer, x, kernel = make(kind, iterations=iterations)
    sigma, after = reference.spectral_norm(matrix(kind, kernel), numpy(layer.u), iterations)
    np.testing.assert_allclose(numpy(layer(x)), divided(layer, x, sigma), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numpy(layer(x, training=True)), divided(layer, x, sigma), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(numpy(layer.u), after, atol=1e-5)


@pytest.mark.parametrize("kind", variants(KINDS.keys(), "dense", "conv2d_transpose", "embedding"))
def test_sigma_of_the_effective_kernel_converges_to_one(kind):
    layer, x, kernel = make(kind, iterations=15)
    for _ in range(5):
        layer(x, training=True)
    largest = np.linalg.svd(matrix(kind, kernel))[1][0]
    assert largest > 5
    np.testing.assert_allclose(numpy(layer(x)), divided(layer, x, largest), rtol=2e-3, atol=1e-3)


def test_sigma_after_one_iteration_and_after_a_hundred():
    """Of W / sigma, which is the output for the identity."""
    layer, _, _ = make("dense")
    layer.layer.activation, layer.layer.bias = keras.activations.linear, None
    layer.layer.use_bias = False

    def largest():
        return np.linalg.svd(numpy(layer(np.eye(3, dtype="float32"))))[1][0]

    first = largest()
    assert first > 1.001
    for _ in range(100):
        layer(np.eye(3, dtype="float32"), training=True)
    assert abs(largest() - 1) < 1e-3


@each_kind
def test_calls_do_not_change_the_kernel_and_inference_does_not_change_u(kind):
    layer, x, kernel = make(kind)
    before, u = numpy(kernel).copy(), numpy(layer.u).copy()
    layer(x, training=False)
    layer(x)
    np.testing.assert_array_equal(numpy(layer.u), u)
    layer.trainable = False
    layer(x, training=True)
    np.testing.assert_array_equal(numpy(layer.u), u)
    layer.trainable = True
    layer(x, training=True)
    assert np.abs(numpy(layer.u) - u).max() > 1e-3
    np.testing.assert_array_equal(numpy(kernel), before)


def test_u_is_updated_once_for_each_call_in_training():
    layer, x, kernel = make()
    expected = numpy(layer.u)
    for training in (True, False, False, True, True, False):
        if training:
            _, expected = reference.spectral_norm(numpy(kernel), expected)
        layer(x, training=training)
        np.testing.assert_allclose(numpy(layer.u), expected, atol=1e-5)


def test_u_is_updated_once_in_a_spectral_step():
    layer, x, kernel = make()
    expected = numpy(layer.u)
    for training in ((True, True, True), (False, True), (False, False)):
        if any(training):
            _, expected = reference.spectral_norm(numpy(kernel), expected)
        with spectral_step():
            for one in training:
                layer(x, training=one)
        np.testing.assert_allclose(numpy(layer.u), expected, atol=1e-5)
    layer(x, training=True)  # outside of a step, again for each call
    np.testing.assert_allclose(numpy(layer.u), reference.spectral_norm(numpy(kernel), expected)[1], atol=1e-5)


def test_spectral_steps_can_be_nested_and_keep_layers_apart():
    one, x, _ = make()
    other, _, _ = make()
    other.u.assign(one.u)
    start = numpy(one.u)
    with spectral_step():
        one(x, training=True)
        moved = numpy(one.u)
        with spectral_step():
            other(x, training=True)
        one(x, training=True)
        np.testing.assert_array_equal(numpy(one.u), moved)
    assert np.abs(moved - start).max() > 1e-4 and np.abs(numpy(other.u) - start).max() > 1e-4


@each_kind
def test_the_scale_of_the_kernel_does_not_matter(kind):
    layer, x, kernel = make(kind)
    before = numpy(layer(x))
    kernel.assign(7.3 * kernel)
    np.testing.assert_allclose(numpy(layer(x)), before, rtol=1e-4, atol=1e-5)


def trained(kind, how, learning_rate=0.0, steps=1, scale=1.0):
    """A model of the layer alone after training steps, the layer, its input, and the kernel and u before them."""
    layer, x, kernel = make(kind)
    kernel.assign(scale * kernel)
    inputs = keras.Input(x.shape[1:], dtype="int32" if kind == "embedding" else "float32")
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(learning_rate), "mse", **how)
    before, u = numpy(kernel).copy(), numpy(layer.u).copy()
    target = random(*layer(x).shape, seed=5)
    for _ in range(steps):
        model.train_on_batch(x, target)
    return model, layer, x, before, u


GRAPH, XLA = {"jit_compile": BACKEND == "jax"}, {"jit_compile": BACKEND != "torch"}


@pytest.mark.parametrize(("kind", "how"), [*((kind, QUICK) for kind in KINDS), ("dense", XLA)])
def test_the_gradient_is_orthogonal_to_the_kernel(kind, how):
    """Only if it is propagated through sigma, with u and v constant."""
    _, layer, _, before, _ = trained(kind, how, learning_rate=1.0)
    gradient = before - numpy(kernel_of(layer))
    assert np.abs(gradient).max() > 1e-4
    assert abs(np.sum(gradient * before)) < 1e-5 * np.linalg.norm(gradient) * np.linalg.norm(before)


@pytest.mark.parametrize(
    ("kind", "how"),
    [("dense", XLA), *(pytest.param(kind, GRAPH, marks=pytest.mark.slow) for kind in ("conv2d", "embedding"))],
)
def test_training_and_prediction_compute_the_same(kind, how, tmp_path):
    """40 steps with learning rate 0 leave the kernel unchanged, unlike assigning W / sigma to it; u converges."""
    model, layer, x, before, u = trained(kind, how, steps=40)
    np.testing.assert_array_equal(numpy(kernel_of(layer)), before)
    expected = u
    for _ in range(40):
        _, expected = reference.spectral_norm(matrix(kind, before), expected)
    np.testing.assert_allclose(np.abs(numpy(layer.u)), np.abs(expected), atol=1e-3)
    largest = np.linalg.svd(matrix(kind, before))[1][0]
    predicted = model.predict(x, verbose=0)
    np.testing.assert_allclose(predicted, divided(layer, x, largest), rtol=2e-2, atol=1e-3)
    np.testing.assert_allclose(predicted, numpy(layer(x, training=True)), rtol=1e-3, atol=1e-4)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), rtol=1e-5, atol=1e-6)
    assert [w.shape for w in twin.weights] == [w.shape for w in model.weights]


def test_a_zero_kernel_trains():
    model, layer, x, before, u = trained("dense", QUICK, learning_rate=0.1, scale=0.0)
    assert not before.any() and np.isfinite(model.get_weights()[0]).all()
    assert np.abs(numpy(kernel_of(layer))).max() > 1e-4
    np.testing.assert_array_equal(numpy(layer.u), u)
    sigma, after = reference.spectral_norm(numpy(kernel_of(layer)), u)
    np.testing.assert_allclose(numpy(layer(x, training=True)), divided(layer, x, sigma), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(numpy(layer.u), after, atol=1e-4)


def test_shrink_only_divides_by_the_max_of_one_and_sigma():
    for scale in (3.0, 0.05):
        layer, x, kernel = make(scale=scale)
        shrinking, _, _ = make(scale=scale, shrink_only=True)
        sigma, _ = reference.spectral_norm(matrix("dense", kernel), numpy(layer.u))
        np.testing.assert_allclose(numpy(shrinking(x)), divided(layer, x, max(1, sigma)), rtol=1e-4, atol=1e-5)
        same = np.abs(numpy(shrinking(x)) - numpy(layer(x))).max() < 1e-6
        assert same == (sigma > 1)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_sigma_under_mixed_precision_is_that_of_the_float32_kernel(policy):
    """Also inside a model that casts its inputs."""
    keras.config.set_dtype_policy(policy)
    half, x, _ = make()
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, half(inputs))
    keras.config.set_dtype_policy("float32")
    whole, _, _ = make()
    assert {keras.backend.standardize_dtype(w.dtype) for w in half.weights} == {"float32"}
    output = model(x, training=True)
    assert keras.backend.standardize_dtype(output.dtype) == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(model.output.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(numpy(ops.cast(output, "float32")), numpy(whole(x, training=True)), atol=0.03)
    np.testing.assert_allclose(numpy(half.u), numpy(whole.u), atol=1e-6)
