import functools

import keras
import numpy as np
import pytest

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import sagan_learning as learning
from examining import Examination
from runs import recorded
from sagan_data import framed

from keras_attention import training
from tests.examples.interruptions import CopyAfter

SEED = 5


def images_and_labels(count=22):
    rng = np.random.default_rng(SEED)
    return rng.integers(0, 256, (count, 28, 28)).astype("u1"), (rng.permutation(count) % 10).astype("u1")


def noisy(images, rng):
    """The images with a border and random noise."""
    return framed(images) + rng.standard_normal((len(images), 1, 1, 1)) / 1e3


def taken(count, first=0, draw=framed):
    source = learning.batches(draw, *images_and_labels(), 4, SEED, first)
    return [next(source) for _ in range(count)]


@pytest.mark.parametrize("first", [1, 4, 5, 13])
def test_a_batch_does_not_depend_on_where_the_run_starts(first):
    for one, other in zip(taken(first + 2, draw=noisy)[first:], taken(2, first, noisy), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_what_is_drawn_differs_from_epoch_to_epoch():
    whole = [
        sorted(x.mean() for images, _ in taken(10, draw=noisy)[part] for x in images)
        for part in (slice(5), slice(5, 10))
    ]
    assert set(whole[0]).isdisjoint(whole[1])


def test_an_epoch_has_each_image_once_and_the_next_has_another_order():
    images, labels = images_and_labels()
    names = {framed(image[None]).tobytes(): number for number, image in enumerate(images)}
    batches = taken(10)
    epochs = [[names[image[None].tobytes()] for x, _ in part for image in x] for part in (batches[:5], batches[5:])]
    for rows, part in zip(epochs, (batches[:5], batches[5:])):
        assert len(set(rows)) == 20  # two of 22 are dropped
        np.testing.assert_array_equal(labels[rows], np.concatenate([y for _, y in part]))
    assert epochs[0] != epochs[1]


def small(kind="with"):
    """Stand-ins with images of the same size, quick to train."""
    keras.utils.set_random_seed(SEED)
    noise, label = keras.Input((learning.NOISE,), name="noise"), keras.Input((), dtype="int32", name="label")
    x = keras.layers.Concatenate()([noise, keras.layers.Embedding(10, 3)(label)])
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4 * 4 * 2)(x))
    x = keras.layers.UpSampling2D(8)(keras.layers.Reshape((4, 4, 2))(x))
    generated = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x)
    generator = keras.Model({"noise": noise, "label": label}, generated)
    image, label = keras.Input((32, 32, 3), name="image"), keras.Input((), dtype="int32", name="label")
    y = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(image))
    y = keras.layers.Concatenate()([y, keras.layers.Embedding(10, 3)(label)])
    discriminator = keras.Model({"image": image, "label": label}, keras.layers.Dense(1)(y))
    objective = training.NoiseToImage(learning.NOISE, 10)
    return training.AdversarialModel(generator, discriminator, objective, average_decay=0.9, seed=SEED)


def means(images):
    """Features: the mean color of each quarter and of each sixteenth, and how bright the quarters are."""
    bright = np.exp(np.asarray(images).reshape(-1, 2, 16, 2, 16, 3).mean((2, 4, 5)).reshape(-1, 4))
    return {
        "probabilities": bright / bright.sum(axis=1, keepdims=True),
        "texture": np.asarray(images).reshape(-1, 2, 16, 2, 16, 3).mean((2, 4)).reshape(-1, 12),
        "features": np.asarray(images).reshape(-1, 4, 8, 4, 8, 3).mean((2, 4)).reshape(-1, 48),
    }


def learn(folder, steps, model=None, callbacks=()):
    folder.mkdir(exist_ok=True)
    model = model or small()
    images, labels = images_and_labels()
    real = means(framed(images))
    examine = learning.examiner(means, real, labels)
    callbacks = [Examination(examine, folder / "progress.json", 2, steps), *callbacks]
    data = functools.partial(learning.batches, framed, images, labels, 4, SEED)
    before = learning.learn(model, data, steps, folder, 2, callbacks=callbacks)
    return model, before


# tests/training/test_adversarial_resume.py resumes the same model; `test_pixels_learning.py` an example.
@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_same_weights_and_results(tmp_path):
    killed = CopyAfter(2, tmp_path / "whole", tmp_path / "parts")
    whole, before = learn(tmp_path / "whole", 4, callbacks=[killed])
    assert before == 0
    parts, before = learn(tmp_path / "parts", 4)
    assert before == 2
    for one, other in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    found = [recorded(tmp_path / name / "progress.json") for name in ("whole", "parts")]
    assert found[0] == found[1] and list(found[0]) == [0, 2, 4]
    assert set(found[0][4]) == {*learning.MEASURES}
    assert learn(tmp_path / "whole", 4)[1] == 4
    # The optimizers are the paper's: no momentum, and a discriminator with four times the rate.
    pair = whole.optimizer.generator_optimizer, whole.optimizer.discriminator_optimizer
    assert [(o.beta_1, o.beta_2) for o in pair] == [(0.0, 0.9)] * 2
    np.testing.assert_allclose(float(pair[1].learning_rate), 4 * float(pair[0].learning_rate))


def test_the_evaluation_is_of_images_of_the_average():
    model = small()
    model.average.set_weights([w + 0.1 for w in model.average.get_weights()])
    images, labels = images_and_labels()
    real = means(framed(images))
    others = {"brightest": lambda images: images.max(axis=(1, 2, 3))}
    examine = learning.examiner(means, real, labels, seed=3, others=others)
    found = examine(model)
    images = model.average.predict(learning.noise(22, 3), verbose=0)
    generated = means(images)
    expected = {
        "FID": learning.metrics.FrechetDistance(extractor=None),
        "KID": learning.metrics.KernelDistance(extractor=None, subsets=50, subset_size=22),
        "intra-FID": learning.metrics.IntraClassFrechetDistance(10, extractor=None),
        "IS": learning.metrics.InceptionScore(extractor=None),
    }
    expected["FID"].update_state(real["texture"], generated["texture"])
    expected["KID"].update_state(real["features"], generated["features"])
    expected["intra-FID"].update_real(real["texture"], labels)
    expected["intra-FID"].update_generated(generated["texture"], np.arange(22) % 10)
    expected["IS"].update_state(generated["probabilities"])
    values = {name: float(metric.result()) for name, metric in expected.items()}
    assert found == pytest.approx(values | {"brightest": images.max(axis=(1, 2, 3)).mean()}, rel=1e-6)
    assert values["IS"] > 1.0001
    assert examine(model) == found  # nothing of an earlier examination is left
    model.average.set_weights([w - 0.3 for w in model.average.get_weights()])
    other = examine(model)
    assert all(abs(other[name] - found[name]) > 1e-4 for name in found)


@pytest.mark.usefixtures("eager")
def test_a_nan_loss_stops_the_run(tmp_path):
    model = small()
    model.discriminator.layers[-1].bias.assign([np.nan])
    with pytest.raises(FloatingPointError, match="has diverged. There is no checkpoint"):
        learn(tmp_path, 4, model)
    assert not list(tmp_path.glob("*.weights.h5"))


def test_noise_depends_on_the_seed_alone_and_classes_come_in_turn():
    one, again, other = (learning.noise(23, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one["noise"], again["noise"])
    assert (one["noise"] != other["noise"]).any()
    assert one["label"].tolist() == [i % 10 for i in range(23)]
    parts = learning.parts(one, 10)
    assert [len(part["label"]) for part in parts] == [10, 10, 3]
    np.testing.assert_array_equal(np.concatenate([part["noise"] for part in parts]), one["noise"])
