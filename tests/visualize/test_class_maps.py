import functools

import keras
import numpy as np
import pytest

from keras_attention.visualize import grad_cam, grad_cam_plus_plus, saliency, score_cam
from tests.visualize.maps import noisy, resized

pytest.importorskip("tf_keras_vis")
if keras.backend.backend() != "tensorflow":
    pytest.skip("tf-keras-vis is for TensorFlow", allow_module_level=True)

B, Y, X, C, K, CLASSES = 3, 11, 14, 2, 6, 5  # the feature maps are 5 x 6
CAMS = (grad_cam, grad_cam_plus_plus, score_cam)
IMAGES = np.random.default_rng(0).standard_normal((B, Y, X, C)).astype("float32")


def body():
    """[B, Y, X, C] -> [B, 5, 6, K]"""
    conv = keras.layers.Conv2D(K, (3, 4), strides=2, name="conv")
    return [conv, keras.layers.BatchNormalization(name="norm"), keras.layers.ReLU(name="relu")]


def head(activation=None):
    """A head whose gradient differs between positions."""
    return [
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(7, "tanh", name="hidden"),
        keras.layers.Dense(CLASSES, activation, name="logits"),
    ]


def sequential(activation=None):
    return keras.Sequential([keras.Input((Y, X, C)), *body(), *head(activation)])


def functional():
    x = keras.Input((Y, X, C))
    return keras.Model(x, functools.reduce(lambda y, layer: layer(y), [*body(), *head()], x))


def nested():
    """A model in a model, and a Sequential in that."""
    x, y = keras.Input((Y, X, C)), keras.Input((5, 6, K))
    tail = keras.Model(y, functools.reduce(lambda y, layer: layer(y), head(), y), name="tail")
    return keras.Model(x, tail(keras.Sequential(body(), name="body")(x)))


class Subclassed(keras.Model):
    """Has no config, holds its layers in a list, and takes no `training`."""

    def __init__(self, compiled=False):
        super().__init__()
        self.steps = [*body(), *head()]
        self.compiled = compiled

    def call(self, x):
        def run(x):
            return functools.reduce(lambda y, layer: layer(y), self.steps, x)

        if not self.compiled:
            return run(x)
        import tensorflow as tf

        return tf.function(run)(x)


def softmax_layer():
    return keras.Sequential([keras.Input((Y, X, C)), *body(), *head(), keras.layers.Softmax()])


MODELS = {
    "functional": functional,
    "sequential": sequential,
    "nested": nested,
    "subclassed": Subclassed,
    "compiled": lambda: Subclassed(compiled=True),
    "softmax": lambda: sequential("softmax"),
    "sigmoid": lambda: sequential("sigmoid"),
    "softmax layer": softmax_layer,
}


@functools.cache
def reference():
    """A model, the layers up to the feature maps, and the others."""
    model = noisy(sequential())
    last = model.layers[-1]
    last.bias.assign(last.bias - np.mean(model(IMAGES), axis=0))  # The images are of several classes.
    maps = keras.Model(model.inputs[0], model.get_layer("relu").output)
    return model, maps, lambda y: functools.reduce(lambda y, layer: layer(y), model.layers[3:], y)


def twin(name):
    model = MODELS[name]()
    model(IMAGES)
    model.set_weights(reference()[0].get_weights())
    return model


@functools.cache
def expected(function, classes):
    """What the papers' equations give for the reference, from a gradient tape and NumPy."""
    import tensorflow as tf

    model, maps, rest = reference()
    if function is saliency:
        images = tf.constant(IMAGES)
        with tf.GradientTape() as tape:
            tape.watch(images)
            chosen = tf.gather(model(images), classes, batch_dims=1)
        return np.abs(tape.gradient(chosen, images)).max(-1)
    A = tf.constant(maps(IMAGES))
    with tf.GradientTape() as tape:
        tape.watch(A)
        chosen = tf.gather(rest(A), classes, batch_dims=1)
    g, A = tape.gradient(chosen, A).numpy().astype("float64"), A.numpy().astype("float64")
    w = np.zeros((B, K))
    for b in range(B):
        for k in range(K):
            w[b, k] = WEIGHTS[function](A[b, :, :, k], g[b, :, :, k], classes[b], IMAGES[b])
    return resized(np.maximum(np.einsum("byxk,bk->byx", A, w), 0), (Y, X))


def weight_of_grad_cam(A, g, chosen, image):
    return g.mean()


def weight_of_grad_cam_plus_plus(A, g, chosen, image):
    alpha = np.array([[d**2 / (2 * d**2 + d**3 * A.sum()) for d in row] for row in g])
    return sum(a * max(d, 0) for a, d in zip((alpha / alpha.sum()).ravel(), g.ravel()))


def weight_of_score_cam(A, g, chosen, image):
    mask = resized(A[np.newaxis], (Y, X), aligned=True)[0]
    mask = (mask - mask.min()) / max(mask.max() - mask.min(), 1e-7)  # a channel may be 0
    logits = np.asarray(reference()[0]((image * mask[..., np.newaxis])[np.newaxis].astype("float32")), "float64")[0]
    return np.exp(logits[chosen]) / np.exp(logits).sum()


WEIGHTS = {
    grad_cam: weight_of_grad_cam,
    grad_cam_plus_plus: weight_of_grad_cam_plus_plus,
    score_cam: weight_of_score_cam,
}


FIRST = [("sequential", function) for function in (saliency, *CAMS)] + [(name, grad_cam) for name in MODELS]
REST = [(name, function) for name in MODELS for function in (saliency, *CAMS) if (name, function) not in FIRST]


@pytest.mark.parametrize(
    ("name", "function"),
    [*dict.fromkeys(FIRST), *(pytest.param(*each, marks=pytest.mark.slow) for each in REST)],
)
def test_maps_are_those_of_the_papers(name, function):
    classes = (4, 0, 2)
    found = function(twin(name), IMAGES, list(classes))
    wanted = expected(function, classes)
    assert found.shape == (B, Y, X) and found.dtype == "float32" and (wanted.max(axis=(1, 2)) > 0.01).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * wanted.max())


def test_a_missing_class_is_the_predicted_one_and_one_class_is_for_all_images():
    model = reference()[0]
    predicted = np.argmax(model(IMAGES), axis=-1)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(grad_cam(model, IMAGES), grad_cam(model, IMAGES, predicted))
    np.testing.assert_array_equal(saliency(model, IMAGES, 3), saliency(model, IMAGES, [3, 3, 3]))


@pytest.mark.parametrize("function", [grad_cam, *(pytest.param(each, marks=pytest.mark.slow) for each in CAMS[1:])])
def test_images_do_not_depend_on_each_other(function):
    alone = [function(reference()[0], IMAGES[b : b + 1], 2)[0] for b in range(B)]
    np.testing.assert_allclose(function(reference()[0], IMAGES, 2), alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["nested", "subclassed"])
def test_a_layer_has_a_path_and_a_name(name):
    model = twin(name)
    path = {"nested": "body/conv", "subclassed": "conv"}[name]
    inner = model.get_layer("body").layers[0] if name == "nested" else model.steps[0]
    by_path = grad_cam(model, IMAGES, 1, path)
    assert np.abs(by_path - grad_cam(model, IMAGES, 1)).max() > 0.01
    for layer in ("conv", inner):
        np.testing.assert_array_equal(grad_cam(model, IMAGES, 1, layer), by_path)


def test_large_logits_overflow_nowhere():
    model = twin("functional")
    last = model.get_layer("logits")
    last.bias.assign(last.bias + 1000.0)
    np.testing.assert_allclose(
        grad_cam_plus_plus(model, IMAGES, (4, 0, 2)), expected(grad_cam_plus_plus, (4, 0, 2)), rtol=1e-4, atol=1e-6
    )


class Shared(keras.Model):
    """Calls each layer twice, one of them on tensors of different ranks."""

    def __init__(self):
        super().__init__()
        self.conv = keras.layers.Conv2D(C, 3, padding="same", name="conv")
        self.act = keras.layers.Activation("tanh", name="act")
        self.logits = keras.layers.Dense(CLASSES, name="logits")

    def call(self, x):
        gain = keras.ops.reshape(self.act(keras.ops.mean(x, (1, 2))), (-1, 1, 1, C))
        return self.rest(self.act(gain + self.conv(self.conv(x))))

    def rest(self, x):
        return self.logits(keras.ops.reshape(x, (-1, Y * X * C)))


def test_the_last_call_of_a_layer_counts():
    import tensorflow as tf

    model = Shared()
    model(IMAGES)
    noisy(model)
    A = tf.tanh(tf.tanh(tf.reduce_mean(IMAGES, (1, 2), keepdims=True)) + model.conv(model.conv(IMAGES)))
    with tf.GradientTape() as tape:
        tape.watch(A)
        chosen = model.rest(A)[:, 3]
    weights = tf.reduce_mean(tape.gradient(chosen, A), (1, 2), keepdims=True)
    wanted = tf.nn.relu(tf.reduce_sum(weights * A, -1))
    np.testing.assert_allclose(grad_cam(model, IMAGES, 3, "act"), wanted, atol=1e-5 * np.max(wanted))


def test_half_precision_is_near_float32():
    x = keras.Input((Y, X, C))
    half = {"dtype": "mixed_bfloat16"}
    y = keras.layers.Conv2D(K, 3, **half)(x)
    half = keras.Model(x, keras.layers.Dense(CLASSES, **half)(keras.layers.Flatten(**half)(y)))
    y = keras.layers.Conv2D(K, 3)(x)
    full = keras.Model(x, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(y)))
    full.set_weights(noisy(half).get_weights())
    for function in (saliency, grad_cam, score_cam):
        found, wanted = function(half, IMAGES, 2), function(full, IMAGES, 2)
        assert found.dtype == "float32" and 0 < np.abs(found - wanted).max() < 0.05 * wanted.max()


def state(model):
    layers = [model, *model._flatten_layers(include_self=False)]
    return [(layer, layer.name, dict(vars(layer))) for layer in layers], model.get_weights()


OFTEN = ("nested", "softmax layer")


@pytest.mark.parametrize(
    "name", [*OFTEN, *(pytest.param(each, marks=pytest.mark.slow) for each in MODELS if each not in OFTEN)]
)
def test_the_model_is_what_it_was_also_after_an_error(name):
    model = twin(name)
    before, weights = state(model)
    output = np.asarray(model(IMAGES))
    score_cam(model, IMAGES, 0)
    with pytest.raises(ValueError, match="classes"):
        grad_cam(model, IMAGES, CLASSES)
    after, same = state(model)
    assert [each[:2] for each in after] == [each[:2] for each in before]
    for (*_, now), (*_, then) in zip(after, before):
        assert now.keys() == then.keys() and all(now[key] is then[key] for key in ("call", "activation") if key in now)
    assert all(np.array_equal(a, b) for a, b in zip(weights, same))
    np.testing.assert_array_equal(model(IMAGES), output)
