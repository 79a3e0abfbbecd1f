import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import serving
from keras_attention.export.signatures import concrete, extra_signature
from keras_attention.models import AttentionResNet, VisionTransformer, recurrent_attention
from tests.export import models

SIZE = (9, 12)


def resnet():
    model = AttentionResNet((1, 1), bottleneck=False, attention="cbam", num_classes=3, width=16, stem="3x3")
    return models.noisy(model)


def vision_transformer():
    return models.noisy(VisionTransformer(SIZE, (3, 4), 1, 12, 4, 20, num_classes=3))


def files(channels):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *SIZE, channels))
    return images, tf.stack([tf.io.encode_png(tf.constant(image, tf.uint8)) for image in images])


@pytest.mark.parametrize("make", [resnet, vision_transformer])
def test_files_become_probabilities_and_names(make):
    model, (images, encoded) = make(), files(3)
    normalize = keras.layers.Rescaling(1 / 127.5, -1)
    signature = serving.image_classification(model, SIZE, normalize, class_names=["cat", "dog", "owl"])["classify"]
    answer = concrete(*extra_signature("classify", signature))(image_bytes=encoded)
    expected = keras.ops.softmax(model(images / 127.5 - 1, training=False)).numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    np.testing.assert_array_equal(answer["label"], expected.argmax(-1))
    assert answer["name"].numpy().tolist() == [[b"cat", b"dog", b"owl"][i] for i in expected.argmax(-1)]
    with pytest.raises(tf.errors.InvalidArgumentError):
        concrete(*extra_signature("classify", signature))(image_bytes=tf.constant([b"no image"]))


def test_recurrent_attention_returns_the_path_of_its_glimpses():
    model, (images, encoded) = models.noisy(recurrent_attention(num_glimpses=3, units=7, size=4)), files(1)
    signature = serving.image_classification(model, SIZE, keras.layers.Rescaling(1 / 255))["classify"]
    answer = concrete(*extra_signature("classify", signature))(image_bytes=encoded)
    expected = model(images.astype("float32") / 255, training=False)
    np.testing.assert_allclose(answer["locations"], expected["locations"], atol=1e-5)
    np.testing.assert_allclose(answer["probabilities"], keras.ops.softmax(expected["logits"]), atol=1e-5)
    assert answer["locations"].shape == (2, 3, 2) and "logits" not in answer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 9}, "`size` must be"),
        ({"normalize": None}, "`normalize` must be a function"),
        ({"interpolation": "area"}, "`interpolation` must be one of"),
        ({"crop_to_aspect_ratio": 1}, "`crop_to_aspect_ratio` must be"),
        ({"class_names": ["cat"]}, "`class_names` must have 3 names. Received: 1"),
    ],
)
def test_invalid_arguments_raise_errors(options, message):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    given = {"model": model, "size": SIZE, "normalize": abs, **options}
    with pytest.raises(ValueError, match=message):
        serving.image_classification(**given)


def test_other_models_raise_an_error():
    with pytest.raises(ValueError, match="`model` must be a functional model from images"):
        serving.image_classification(len, SIZE, abs)
