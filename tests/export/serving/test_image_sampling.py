import numpy as np
import pytest
import tensorflow as tf

from keras_attention import decoding
from keras_attention.export import serving
from keras_attention.export.signatures import concrete, extra_signature
from keras_attention.models import image_transformer
from tests.export import models

SIZES = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 12, "query_block": 4, "memory_block": 3}
SIZE = (3, 2)


def signatures(*names, **options):
    model = models.noisy(image_transformer(channels=3, **SIZES, **options))
    made = serving.image_sampling(model, SIZE, temperature=0.9)
    return model, {name: concrete(*extra_signature(name, made[name])) for name in names}


def test_an_image_depends_on_its_own_inputs_alone():
    model, served = signatures("sample", num_classes=4, num_encoder_layers=1)
    rng = np.random.default_rng(0)
    source = tf.constant(rng.integers(0, 256, (3, 2, 3, 3)), tf.uint8)
    seed, label = tf.constant([5, 7, 5]), tf.constant([3, 0, 3])
    source = tf.gather(source, [0, 1, 0])
    images = served["sample"](seed=seed, label=label, source=source)["images"].numpy()
    assert images.dtype == "uint8" and images.shape == (3, *SIZE, 3)
    np.testing.assert_array_equal(images[0], images[2])
    expected = decoding.sample_image(
        model, SIZE, label=label[1:2], source=source[1:2], temperature=0.9, seed=tf.constant([7])
    )
    np.testing.assert_array_equal(images[1:2], expected)
    assert (images[0] != images[1]).any()
    with pytest.raises(tf.errors.InvalidArgumentError, match="`label` must be from 0 to 3"):
        served["sample"](seed=seed, label=label + 1, source=source)


def test_known_pixels_are_kept():
    _, served = signatures("sample", "complete")
    known = tf.constant(np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)), tf.uint8)
    mask = np.zeros((2, *SIZE), bool)
    mask[0, 1] = mask[1, :2, 1] = True
    images = served["complete"](seed=tf.constant([4, 4]), known=known, known_mask=tf.constant(mask))["images"].numpy()
    np.testing.assert_array_equal(images[mask], known.numpy()[mask])
    assert (images[~mask] != known.numpy()[~mask]).mean() > 0.5
    free = served["sample"](seed=tf.constant([4, 11]))["images"].numpy()
    assert free.shape == (2, *SIZE, 3) and (free[0] != free[1]).any()


def test_invalid_arguments_raise_errors():
    model = image_transformer(channels=1, **SIZES)
    with pytest.raises(ValueError, match="`size` must be"):
        serving.image_sampling(model, 3)
    with pytest.raises(ValueError, match="`temperature` must be"):
        serving.image_sampling(model, SIZE, temperature=0)
