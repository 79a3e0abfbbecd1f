import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import serving
from keras_attention.export.signatures import concrete, extra_signature
from keras_attention.models import sagan
from tests.export import models

SIZES = {"image_size": 16, "channels": 2, "attention_at": 8, "discriminator": {}}


@pytest.mark.parametrize("classes", [5, None])
def test_an_image_depends_on_its_seed_and_label_alone(classes):
    generator, _ = sagan(num_classes=classes, generator={"noise_dim": 7}, **SIZES)
    models.noisy(generator)
    sample = concrete(*extra_signature("sample", serving.image_generation(generator)["sample"]))
    labels = {"label": tf.constant([4, 0, 4])} if classes else {}
    images = sample(seed=tf.constant([3, 9, 3]), **labels)["images"].numpy()
    assert images.dtype == "uint8" and images.shape == (3, 16, 16, 3)
    np.testing.assert_allclose(images[0].astype(int), images[2], atol=1)  # rounding
    assert len(np.unique(images)) > 50 and (images[0] != images[1]).mean() > 0.5
    one = {name: x[1:2] for name, x in labels.items()}
    alone = sample(seed=tf.constant([9]), **one)["images"].numpy()
    np.testing.assert_allclose(images[1:2].astype(int), alone, atol=1)
    if classes:
        other = sample(seed=tf.constant([3]), label=tf.constant([1]))["images"]
        assert (other != images[:1]).numpy().any()
        for wrong in (5, -1):
            with pytest.raises(tf.errors.InvalidArgumentError, match="`label` must be from 0 to 4"):
                sample(seed=tf.constant([3]), label=tf.constant([wrong]))


def test_other_models_raise_an_error():
    with pytest.raises(ValueError, match=r"model of images from noise.* without \['noise_dim', 'num_classes'\]"):
        serving.image_generation(models.table())
