import math

import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import numpy

LABELS = np.array([0, 3, 1])
IMAGES = np.zeros((3, 2, 5, 1), "float32")


def test_noise_is_normal_and_labels_uniform():
    objective = training.NoiseToImage(noise_dim=7, num_classes=5)
    batch = {"image": np.zeros((4000, 1)), "label": np.zeros(4000, "int32")}
    inputs = objective.generator_inputs(batch, keras.random.SeedGenerator(0))
    noise, label = numpy(inputs["noise"]), numpy(inputs["label"])
    assert noise.shape == (4000, 7) and label.shape == (4000,)
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03
    counts = np.bincount(label, minlength=5)
    assert counts.shape == (5,) and np.abs(counts - 800).max() < 120


def test_noise_differs_from_call_to_call_and_depends_on_the_seed_alone():
    objective = training.NoiseToImage(noise_dim=7)
    seed = keras.random.SeedGenerator(4)
    one, two = (numpy(objective.generator_inputs({"image": IMAGES}, seed)["noise"]) for _ in range(2))
    again = numpy(objective.generator_inputs({"image": IMAGES}, keras.random.SeedGenerator(4))["noise"])
    assert (one != two).any()
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize(
    "x, y", [(IMAGES, LABELS), ({"image": IMAGES, "label": LABELS}, None), ({"image": IMAGES}, LABELS)]
)
def test_data_comes_as_a_pair_or_by_name(x, y):
    batch = training.NoiseToImage(3, 4).batch(x, y)
    assert batch["image"] is IMAGES and batch["label"] is LABELS
    assert list(training.NoiseToImage(3).batch(x, y)) == ["image"]


class Discriminator:
    """A discriminator whose logits are the sums of its images, with given classes."""

    def __init__(self, classes=None):
        self.classes, self.calls = classes, []

    def __call__(self, data, training):
        self.calls.append((len(data["image"]), training))
        logits = keras.ops.sum(data["image"], axis=(1, 2, 3), keepdims=False)[:, None]
        return logits if self.classes is None else {"logits": logits, "classes": self.classes[: len(data["image"])]}


def test_the_discriminator_gets_real_and_generated_images_in_one_call_and_does_not_train_for_the_generator():
    objective, discriminator = training.NoiseToImage(3, 4), Discriminator()
    batch, inputs = {"image": IMAGES + 0.05, "label": LABELS}, {"label": np.array([2, 2, 2])}
    generated = IMAGES - 0.2
    values = objective.discriminator_losses(discriminator, batch, inputs, generated, training=True)
    assert {k: float(v) for k, v in values.items()} == {
        "discriminator_loss": pytest.approx(0.5),
        "real_logits": pytest.approx(0.5),
        "fake_logits": pytest.approx(-2),
    }
    values = objective.generator_losses(discriminator, batch, inputs, generated, training=True)
    assert float(values["generator_loss"]) == pytest.approx(2)
    assert discriminator.calls == [(6, True), (3, False)]


def test_the_auxiliary_classifier():
    """Its output has the name that `models.sagan` gives it; the label of a generated image is the generator's input."""
    objective = training.NoiseToImage(3, 4, classifier_weight=0.5)
    classes = np.zeros((6, 4), "float32")
    classes[np.arange(6), [0, 3, 1, 2, 2, 0]] = 1.0  # the last one is an error
    batch, inputs = {"image": IMAGES, "label": LABELS}, {"label": np.array([2, 2, 2])}
    correct = -math.log(math.e / (math.e + 3))
    wrong = correct + 1
    values = objective.discriminator_losses(Discriminator(classes), batch, inputs, IMAGES, training=True)
    assert float(values["real_classes_loss"]) == pytest.approx(correct, rel=1e-5)
    fake = (2 * correct + wrong) / 3
    assert float(values["discriminator_loss"]) == pytest.approx(2 + 0.5 * (correct + fake), rel=1e-5)
    values = objective.generator_losses(Discriminator(classes[3:]), batch, inputs, IMAGES, training=True)
    assert float(values["fake_classes_loss"]) == pytest.approx(fake, rel=1e-5)
    assert float(values["generator_loss"]) == pytest.approx(0.5 * fake, rel=1e-5)


def test_a_classifier_without_a_weight_and_a_weight_without_a_classifier_are_refused():
    batch, inputs = {"image": IMAGES, "label": LABELS}, {"label": LABELS}
    for weight, classes in ((None, np.zeros((6, 4))), (1.0, None)):
        objective = training.NoiseToImage(3, 4, classifier_weight=weight)
        with pytest.raises(ValueError, match="`classifier_weight` goes with a discriminator that returns 'classes'"):
            objective.discriminator_losses(Discriminator(classes), batch, inputs, IMAGES, training=True)


@pytest.mark.parametrize(
    "label, message",
    [
        (np.array([0, 4, 1]), "`label` must be from 0 to 3 .*labels from 0 to 4"),
        (np.array([0, -1, 1]), "labels from -1 to 1"),
        (np.array([0.0, 1.0, 2.0]), "`label` must be integers"),
        (np.array([[0], [1], [2]]), "`label` must be integers \\[B\\]"),
        (np.array([0, 1]), "one for each image"),
    ],
)
def test_labels_out_of_range_are_refused_by_name(label, message):
    with pytest.raises(ValueError, match=message):
        training.NoiseToImage(3, 4).check({"image": IMAGES, "label": label})


@pytest.mark.parametrize(
    "bad",
    [
        {"noise_dim": 0},
        {"noise_dim": 2.5},
        {"noise_dim": True},
        {"num_classes": 0},
        {"num_classes": True},
        {"loss": "wasserstein"},
        {"classifier_weight": 0.0},
        {"value_range": (1, -1)},
        {"value_range": (0, None)},
        {"value_range": 1},
    ],
    ids=str,
)
def test_bad_arguments_are_refused(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        training.NoiseToImage(**{"noise_dim": 3, "num_classes": 4, **bad})


def test_a_classifier_needs_classes():
    with pytest.raises(ValueError, match="needs `num_classes`"):
        training.NoiseToImage(3, classifier_weight=1.0)
    with pytest.raises(ValueError, match="A batch must have .*'label'"):
        training.NoiseToImage(3, 4).batch(IMAGES, None)


@pytest.mark.parametrize(
    "networks, message",
    [
        ({"noise": 5}, r"`noise_dim` must be.*noise_dim=3, an input of shape \(None, 5\)"),
        ({"output": 7}, r"input 'image' must have the shape of the generator's output.*\(None, 4\) and \(None, 7\)"),
        ({"output": (2, 4)}, r"input 'image' must have the shape of the generator's output"),
    ],
    ids=str,
)
def test_networks_that_do_not_fit_are_refused(networks, message):
    sizes = {"noise": 3, "output": 4, **networks}
    output = sizes["output"] if isinstance(sizes["output"], tuple) else (sizes["output"],)
    noise, image = keras.Input((sizes["noise"],), name="noise"), keras.Input((4,), name="image")
    generated = keras.layers.Reshape(output)(keras.layers.Dense(math.prod(output))(noise))
    generator = keras.Model({"noise": noise}, generated)
    discriminator = keras.Model({"image": image}, keras.layers.Dense(1)(image))
    with pytest.raises(ValueError, match=message):
        training.AdversarialModel(generator, discriminator, training.NoiseToImage(3))


def test_config_round_trip():
    objective = training.NoiseToImage(3, 4, loss="kl", classifier_weight=0.25, value_range=(0, 255))
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert twin.get_config() == objective.get_config() and twin.names == objective.names
