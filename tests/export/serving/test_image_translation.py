import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import serving
from keras_attention.export.signatures import concrete, extra_signature
from keras_attention.models import selection_gan
from tests.export import models

SIDES = (32, 64)
SIZES = {"width": 4, "selection_channels": 9, "num_candidates": 3, "discriminator_width": 2}


def encoded(image):
    return tf.stack([tf.io.encode_png(tf.constant(image, tf.uint8))])


@pytest.mark.parametrize(("ablation", "output"), [("H", "image"), ("B", "first_image")])
def test_files_become_the_generators_image(ablation, output):
    options = SIZES if ablation == "H" else {"width": 4}
    generator, _ = selection_gan(SIDES, ablation, **options)
    models.noisy(generator)
    translate = concrete(*extra_signature("translate", serving.image_translation(generator)["translate"]))
    rng = np.random.default_rng(0)
    arrays = {name: rng.integers(0, 256, (1, *SIDES, 3)) for name in generator.input}
    small = arrays["semantics"][0, ::2, ::2]
    arrays["semantics"][0] = small.repeat(2, 0).repeat(2, 1)
    inputs = {name: array.astype("float32") / 127.5 - 1 for name, array in arrays.items()}
    expected = (generator(inputs, training=False)[output].numpy() + 1) * 127.5
    given = {f"{name}_bytes": encoded(array[0]) for name, array in arrays.items()}
    images = translate(**given)["images"].numpy()
    assert images.dtype == "uint8" and len(np.unique(images)) > 50
    np.testing.assert_allclose(images, expected, atol=0.6)
    # Colors of a semantic map are not mixed where its size differs.
    again = translate(**{**given, "semantics_bytes": encoded(small)})["images"]
    np.testing.assert_array_equal(again, images)


def test_other_models_raise_errors():
    with pytest.raises(ValueError, match="`generator` must be a functional model from a dict of images"):
        serving.image_translation(models.table())
    generator, _ = selection_gan(32, "D", width=4, semantics_channels=5)
    with pytest.raises(ValueError, match="`semantics` must be images .* of 1, 3 or 4 channels. Received: shape=.*5"):
        serving.image_translation(generator)
