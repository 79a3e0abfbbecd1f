import functools
import sys

import keras
import numpy as np
import pytest

from keras_attention import models
from keras_attention.visualize import grad_cam, overlay, saliency, score_cam
from tests.visualize.maps import noisy, resized

pytest.importorskip("tf_keras_vis")
if keras.backend.backend() != "tensorflow":
    pytest.skip("tf-keras-vis is for TensorFlow", allow_module_level=True)

B, Y, X, C, CLASSES = 2, 16, 24, 3, 5
IMAGES = np.random.default_rng(0).standard_normal((B, Y, X, C)).astype("float32")


def resnet(attention):
    return noisy(
        models.AttentionResNet((1, 1), bottleneck=False, attention=attention, num_classes=CLASSES, width=12, stem="3x3")
    )


@functools.cache
def transformer():
    sizes = {"num_layers": 2, "model_dim": 18, "num_heads": 3, "intermediate_dim": 28, "num_classes": CLASSES}
    return noisy(models.VisionTransformer((Y, X), patch_size=4, **sizes))


def by_tape(model, path, grid=None):
    """Grad-CAM of the predicted classes: one part of the functional model up to a layer, another from there."""
    import tensorflow as tf

    inner = model.get_layer(path).output
    A = keras.Model(model.input, inner)(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(A)
        logits = keras.Model(inner, model.output)(A)
        highest = tf.reduce_max(logits, -1)
    g = tape.gradient(highest, A)
    if grid:
        A, g = (tf.reshape(tokens[:, 1:], (B, *grid, -1)) for tokens in (A, g))
    coarse = np.maximum(np.einsum("byxk,bk->byx", A, np.mean(g, axis=(1, 2))), 0)
    assert (coarse.max(axis=(1, 2)) > 1e-3).all()
    return resized(coarse, (Y, X))


@pytest.mark.parametrize(
    "attention", ["cbam", *(pytest.param(each, marks=pytest.mark.slow) for each in (None, "se", "non_local"))]
)
def test_resnets_show_their_last_block(attention):
    model = resnet(attention)
    last = "stage2_block1_" + ("attention" if attention == "non_local" else "out")
    wanted = by_tape(model, last)
    np.testing.assert_allclose(grad_cam(model, IMAGES), wanted, atol=1e-5 * wanted.max())


def test_tokens_after_the_class_token_are_a_map():
    wanted = by_tape(transformer(), "block_0", (4, 6))
    np.testing.assert_allclose(grad_cam(transformer(), IMAGES, None, "block_0"), wanted, atol=1e-5 * wanted.max())


def test_layers_inside_of_attention_are_no_maps():
    """The heads [B, T, N, H] of a Transformer come after its patches."""
    found, wanted = (grad_cam(transformer(), IMAGES, 3, layer) for layer in (None, "patches/projection"))
    assert wanted.max() > 1e-3
    np.testing.assert_array_equal(found, wanted)


def dense(*layers):
    return keras.Sequential([keras.Input((Y, X, C)), *layers])


def one_output(activation=None):
    return dense(keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(CLASSES, activation))


class Probabilities(keras.Model):
    """Its softmax is in no layer; from `rounded`, logits have no gradient."""

    def __init__(self, rounded=False):
        super().__init__()
        self.conv, self.flat = keras.layers.Conv2D(4, 3, name="conv"), keras.layers.Flatten()
        self.logits, self.rounded = keras.layers.Dense(CLASSES), rounded

    def call(self, x):
        y = self.conv(x)
        if self.rounded:
            return self.logits(self.flat(keras.ops.cast(y > 0, "float32")))
        return keras.ops.softmax(self.logits(self.flat(y)))


def lists():
    x = keras.Input((Y, X, C))
    y = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x))
    return keras.Model(x, [y, y])


def two_of_a_name():
    return dense(
        keras.Sequential([keras.layers.Conv2D(4, 3, name="conv")], name="one"),
        keras.Sequential([keras.layers.Conv2D(4, 3, name="conv")], name="two"),
        keras.layers.Flatten(),
        keras.layers.Dense(CLASSES),
    )


REFUSED = {
    "no model": (lambda x: x, IMAGES, {}, "`model` must be a Keras model.*function"),
    "no batch": (one_output, IMAGES[0], {}, r"`images` must be numbers \[B, Y, X, C\].*\(16, 24, 3\)"),
    "clips": (one_output, IMAGES[np.newaxis], {}, r"`images` must be numbers \[B, Y, X, C\]"),
    "words": (one_output, IMAGES.astype(str), {}, "`images` must be numbers.*images.dtype=<U"),
    "no images": (one_output, IMAGES[:0], {}, "`images` must be .*not empty"),
    "negative class": (one_output, IMAGES, {"classes": -1}, "`classes` must be an int or 2 ints.*up to 4.*classes=-1"),
    "large class": (one_output, IMAGES, {"classes": [0, 5]}, r"classes=\[0, 5\]"),
    "three classes": (one_output, IMAGES, {"classes": [0, 1, 2]}, r"classes=\[0, 1, 2\]"),
    "real class": (one_output, IMAGES, {"classes": 0.5}, "classes=0.5"),
    "maps as output": (lambda: dense(keras.layers.Conv2D(4, 3)), IMAGES, {}, r"one tensor \[B, classes\].*14, 22, 4"),
    "two outputs": (lists, IMAGES, {}, r"one tensor \[B, classes\].*list"),
    "no map": (lambda: dense(keras.layers.Flatten(), keras.layers.Dense(5)), IMAGES, {}, "No layer of .*give `layer`"),
    "no such layer": (one_output, IMAGES, {"layer": "conv"}, "`layer` must be .*layer='conv', 0 calls.*conv2d"),
    "two layers": (two_of_a_name, IMAGES, {"layer": "conv"}, "layer='conv', 2 calls.*one/conv, two/conv"),
    "other layer": (one_output, IMAGES, {"layer": keras.layers.Flatten()}, "`layer` must be a layer that takes part"),
    "vector": (one_output, IMAGES, {"layer": -1}, "layer=-1, 0 calls"),
    "no grid": (
        lambda: dense(keras.layers.Reshape((36, 32), name="tokens"), keras.layers.Flatten(), keras.layers.Dense(5)),
        IMAGES,
        {"layer": "tokens"},
        r"`layer` must return one floating tensor.*layer=tokens.*\(1, 36, 32\)",
    ),
    "probabilities": (Probabilities, IMAGES, {}, "`model` must return logits"),
    "no gradient": (lambda: Probabilities(rounded=True), IMAGES, {}, "with a gradient. Received: layer=conv"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_errors_name_the_argument(case):
    make, images, arguments, message = REFUSED[case]
    model = make if case == "no model" else make()
    with pytest.raises(ValueError, match=message):
        grad_cam(model, images, **arguments)


def test_score_cam_needs_classes_to_compare():
    with pytest.raises(ValueError, match="two or more classes"):
        score_cam(dense(keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(1)), IMAGES)


def test_other_backends_are_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="need the TensorFlow backend.*jax"):
        saliency(one_output(), IMAGES)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras_vis.saliency", None)
    with pytest.raises(ImportError, match=r"pip install keras-attention-layers\[saliency\]"):
        saliency(one_output(), IMAGES)


def test_a_model_is_built_by_the_first_call():
    model = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(CLASSES)])
    found = grad_cam(model, (IMAGES * 10).astype("int32"), 0)
    assert found.max() > 0
    np.testing.assert_array_equal(found, grad_cam(model, (IMAGES * 10).astype("int32").astype("float64"), 0))


def test_maps_fit_the_overlay():
    figure = overlay(IMAGES, np.expand_dims(grad_cam(resnet("se"), IMAGES), 1), value_range=(-3, 3))
    assert len(figure.axes) == 2 * B
