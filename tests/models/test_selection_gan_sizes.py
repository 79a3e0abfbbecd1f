"""Published parameter counts and shapes of SelectionGAN."""

import keras
import numpy as np
import pytest

from keras_attention import models
from keras_attention.models.parts import selection_gan as selection_gan_parts


def size(weights):
    return sum(int(np.prod(w.shape)) for w in weights)


def of(model, *names, trainable=True):
    """Number of parameters of the layers whose names start with one of `names`."""
    chosen = [layer for layer in model.layers if layer.name.startswith(names)]
    return sum(size(layer.trainable_variables if trainable else layer.non_trainable_variables) for layer in chosen)


@pytest.fixture(scope="module")
def published():
    with pytest.MonkeyPatch.context() as patch:
        # 58 million random numbers would take longer than all tests.
        patch.setattr(selection_gan_parts, "small", keras.initializers.Zeros)
        return models.selection_gan(256, legacy_unused_conv=True)


def test_parameter_counts(published):
    generator, discriminator = published
    assert of(generator, "image_") == 54_417_027
    assert of(generator, "semantics_") == 213_675
    assert of(generator, "selection") == 850_051
    parts = {"selection_enlarge": 56_680, "selection_merge": 435_710, "selection_unused": 326_810}
    for name, count in parts.items():
        assert size(generator.get_layer(name).trainable_variables) == count
    assert size(generator.trainable_variables) == 55_480_753
    assert size(generator.trainable_variables) - parts["selection_unused"] == 55_153_943
    assert size(discriminator.trainable_variables) == 2_768_705


def test_counts_of_moving_statistics(published):
    generator, discriminator = published
    statistics = [w for w in generator.non_trainable_variables if "moving" in w.path]
    assert size([w for w in statistics if w.path.startswith("image_")]) == 9_856
    assert size([w for w in statistics if w.path.startswith("semantics_")]) == 616
    assert len(statistics) == len([w for w in generator.non_trainable_variables if "seed" not in w.path])
    assert discriminator.count_params() == 2_768_705 + 1_792


def test_shapes_of_layers_and_outputs(published):
    generator, discriminator = published
    shapes = {
        "image_down1": (128, 128, 64),
        "image_down8": (1, 1, 512),
        "image_up8": (2, 2, 512),
        "image_up1_relu": (128, 128, 128),
        "semantics_up1_relu": (128, 128, 8),
        "selection_features": (128, 128, 136),
        "selection_enlarge": (256, 256, 104),
        "selection_join": (256, 256, 110),
        "selection_pooling": (256, 256, 440),
        "selection_merge": (256, 256, 110),
    }
    for name, shape in shapes.items():
        # `output` of a layer that is called twice is that of the first call.
        assert tuple(generator.get_layer(name).output.shape) == (None, *shape), name
    outputs = {name: tuple(x.shape[1:]) for name, x in generator.output.items()}
    assert outputs == {
        "first_image": (256, 256, 3),
        "first_semantics": (256, 256, 3),
        "image": (256, 256, 3),
        "semantics": (256, 256, 3),
        "attention": (256, 256, 10),
        "candidates": (256, 256, 10, 3),
        "uncertainty": (256, 256, 1),
    }
    for side, patches in ((256, 30), (64, 6)):
        x = {name: keras.KerasTensor((2, side, side, 3)) for name in ("image", "source")}
        assert discriminator.compute_output_spec(x)["logits"].shape == (2, patches, patches, 1)


def test_dropout_layers_are_the_published_ones(published):
    names = [layer.name for layer in published[0].layers if isinstance(layer, keras.layers.Dropout)]
    wide = [f"{net}_up{k}_dropout" for net in ("image", "semantics") for k in (7, 6, 5)]
    assert sorted(names) == sorted([*wide, "selection_dropout"])


def test_parameter_counts_at_64_pixels(monkeypatch):
    monkeypatch.setattr(selection_gan_parts, "small", keras.initializers.Zeros)
    generator, _ = models.selection_gan(64)
    assert of(generator, "image_") == 16_662_147
    assert of(generator, "semantics_") == 65_835
    assert size(generator.trainable_variables) == 16_662_147 + 65_835 + 523_241
    assert tuple(generator.get_layer("image_down5").output.shape) == (None, 2, 2, 512)
    assert not any("image_" in layer.name and "dropout" in layer.name for layer in generator.layers)


def test_initial_weights_are_the_published_ones():
    generator, _ = models.selection_gan(64, width=16)
    kernel = keras.ops.convert_to_numpy(generator.get_layer("image_down5").kernel)
    gamma = keras.ops.convert_to_numpy(generator.get_layer("image_down4_norm").gamma)
    assert abs(kernel.mean()) < 1e-3 and abs(kernel.std() - 0.02) < 1e-3
    assert abs(gamma.mean() - 1) < 0.01 and abs(gamma.std() - 0.02) < 0.01
    assert not keras.ops.convert_to_numpy(generator.get_layer("selection").paint.bias).any()
    kernel = keras.ops.convert_to_numpy(generator.get_layer("selection").paint.kernel)
    assert abs(kernel.std() - 0.02) < 1e-3


def test_moving_statistics_have_the_published_momentum():
    discriminator = models.PatchDiscriminator(width=2, num_layers=1)
    images = {name: np.random.default_rng(i).uniform(-1, 1, (2, 8, 8, 3)) for i, name in enumerate(("image", "source"))}
    means = []
    for _ in range(2):
        discriminator(images, training=True)
        means.append(keras.ops.convert_to_numpy(discriminator.get_layer("norm2").moving_mean))
    # From 0: a tenth of the batch's mean, then nine tenths of that and a tenth of the mean again.
    np.testing.assert_allclose(means[1], 1.9 * means[0], rtol=1e-4)
    assert np.abs(means[0]).min() > 0
