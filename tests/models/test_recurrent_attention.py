"""The network of glimpses: the loop of the paper, counts, what learns from what, files, and checks R6, R8, R10, R12."""

import keras
import numpy as np
import pytest

from keras_attention import models, training
from tests.backend import BACKEND
from tests.layers.helpers import numpy, random
from tests.reference import glimpses as reference

SMALL = {"num_classes": 3, "num_glimpses": 4, "size": 3, "scales": 2, "units": 8}
SMALL |= {"glimpse_units": 7, "location_units": 5, "channels": 2}
JIT = [False, True] if BACKEND == "tensorflow" else ["auto"]


def small(seed=1, **arguments):
    model = models.recurrent_attention(**{**SMALL, **arguments}, seed=seed)
    rng = np.random.default_rng(2)
    for weight in model.trainable_variables:
        weight.assign(0.4 * rng.standard_normal(weight.shape))
    return model


def dense(layer, x):
    kernel, bias = map(numpy, layer.weights)
    return x @ kernel + bias


def looked(model, image):
    """The loop of the paper over one image, of the means of the places."""
    parts, place, hidden = model.parts, np.zeros(2), np.zeros(model.units)
    places, baselines = [], []
    for glimpse in range(model.num_glimpses):
        places.append(place)
        network = parts.glimpse
        seen = np.maximum(dense(network.see, reference.glimpse(image, place, model.size, model.scales).reshape(-1)), 0)
        where = np.maximum(dense(network.place, place), 0)
        g = np.maximum(dense(network.from_seen, seen) + dense(network.from_place, where), 0)
        hidden = np.maximum(dense(parts.core.recurrent, hidden) + dense(parts.core.input, g), 0)
        if glimpse < model.num_glimpses - 1:
            place = np.clip(dense(parts.policy.mean, hidden), -1, 1)
            baselines.append(dense(parts.baseline, hidden)[0])
    return {"logits": dense(parts.action, hidden), "locations": np.array(places), "baselines": np.array(baselines)}


def test_is_the_loop_of_the_paper():
    model, images = small(), random(3, 9, 11, 2)
    found = {name: numpy(x) for name, x in model(images).items()}
    for i, image in enumerate(images):
        expected = looked(model, image)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][i], value, atol=1e-4)
    assert len(np.unique(found["locations"].round(4), axis=0)) == 3, "each image is looked at in its own way"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [({}, 209_677), ({"size": 12, "scales": 3}, 256_781), ({"size": 12, "scales": 4}, 275_213)],
    ids=str,
)
def test_r8_counts_do_not_depend_on_the_size_of_the_image(arguments, count):
    model = models.recurrent_attention(**arguments)
    for side in (28, 60, 100):
        model(np.zeros((1, side, side + 1, 1), "float32"))
        assert model.count_params() == count


def test_the_first_place_is_the_middle_in_inference_and_anywhere_in_training():
    model, images = small(), np.zeros((2000, 5, 5, 2), "float32")
    assert not numpy(model(images[:3])["locations"])[:, 0].any()
    first = numpy(model(images, training=True)["locations"])[:, 0]
    assert np.abs(first).max() <= 1
    np.testing.assert_allclose(first.mean(0), 0, atol=0.06)
    np.testing.assert_allclose((first**2).mean(0), 1 / 3, atol=0.04)


def test_r10_the_same_seed_takes_the_same_path():
    images = random(3, 9, 11, 2)
    one, again, other = (numpy(small(seed)(images, training=True)["locations"]) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-2
    model = small()
    np.testing.assert_array_equal(numpy(model(images)["locations"]), numpy(model(images)["locations"]))


def moved_by(loss, **arguments):
    """The parts of the network whose weights a step with this loss moves."""
    model = small(**arguments)
    before = [numpy(w).copy() for w in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), loss)
    model.train_on_batch(random(6, 9, 11, 2), np.arange(6) % 3)
    moved = [np.abs(numpy(w) - b).max() > 0 for w, b in zip(model.trainable_variables, before)]
    return {w.path.split("/")[0] for w, m in zip(model.trainable_variables, moved) if m}


CORE = {"glimpse_network", "core_input", "core_recurrent"}


class Only(training.HybridLoss):
    """The hybrid loss without its cross-entropy."""

    def call(self, y_true, y_pred):
        entropy = training.HybridLoss(0.0, 0.0, reduction="none")(y_true, y_pred)
        return super().call(y_true, y_pred) - entropy


def test_r6_what_learns_from_what():
    assert moved_by(training.HybridLoss(0.0, 0.0)) == CORE | {"action"}
    assert moved_by(Only(1.0, 0.0)) == {"location_policy"}
    assert moved_by(Only(0.0, 1.0)) == {"baseline"}
    assert moved_by(Only(1.0, 0.0), detach=False) == CORE | {"location_policy"}
    assert moved_by(training.HybridLoss(0.0, 0.0), soft=True) == CORE | {"action", "location_policy"}


@pytest.mark.parametrize("jit", JIT, ids=str)
@pytest.mark.parametrize("arguments", [{}, {"core": "lstm"}, {"soft": True}], ids=str)
def test_fits_evaluates_and_predicts(arguments, jit):
    model = small(**arguments)
    images, labels = random(8, 9, 11, 2), np.arange(8) % 3
    model.compile(keras.optimizers.Adam(0.02), training.HybridLoss(), metrics=["accuracy"], jit_compile=jit)
    history = model.fit(images, labels, batch_size=4, epochs=30, verbose=0).history
    assert history["accuracy"][-1] > history["accuracy"][0] and np.isfinite(history["loss"]).all()
    _, accuracy = model.evaluate(images, labels, verbose=0)
    answers = model.predict(images, verbose=0)
    assert accuracy == pytest.approx(np.mean(np.argmax(answers["logits"], -1) == labels))
    assert answers["locations"].shape == (8, 4, 2)


@pytest.mark.parametrize("arguments", [{}, {"core": "lstm", "num_glimpses": 1}, {"soft": True}], ids=str)
def test_survives_the_file(arguments, tmp_path):
    model, images = small(**arguments), random(3, 9, 11, 2)
    expected = model(images)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.get_config() == model.get_config()
    for name, x in twin(images).items():
        np.testing.assert_allclose(numpy(x), numpy(expected[name]), atol=1e-6)


def test_an_export_returns_the_class_and_the_path(tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    from keras_attention import export

    model = small()
    served = tf.saved_model.load(str(export.export_saved_model(model, tmp_path)))
    for batch, sides in ((2, (9, 11)), (3, (20, 6))):
        images = random(batch, *sides, 2)
        found, expected = served.signatures["serving_default"](tf.constant(images)), model(images)
        for name in ("logits", "locations"):
            np.testing.assert_allclose(numpy(found[name]), numpy(expected[name]), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[(name, {name: 0}) for name in ("num_classes", "num_glimpses", "size", "scales", "units", "channels")],
        ("core", {"core": "gru"}),
        ("std", {"std": 0.0}),
        ("factor", {"factor": 0.5}),
    ],
)
def test_bad_arguments_by_name(name, arguments):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        models.recurrent_attention(**{**SMALL, **arguments})


def signposts(number, rng):
    """Of 4 corners one has the sign, high or low; a dot beside the middle says which corner."""
    images, labels = np.zeros((number, 24, 24, 1), "float32"), rng.integers(0, 2, number)
    for image, label in zip(images, labels):
        down, right = rng.integers(0, 2, 2)
        image[10 + 3 * down : 11 + 3 * down, 10 + 3 * right : 11 + 3 * right] = 1
        for corner in np.ndindex(2, 2):
            sign = label if corner == (down, right) else rng.integers(0, 2)
            y, x = 3 + 14 * corner[0], 3 + 14 * corner[1]
            image[y + 3 * sign, x : x + 4] = 1
    return images, labels


@pytest.mark.slow
def test_r12_learns_where_to_look():
    """Who looks at random cannot know which of four signs counts; who follows the dot does."""
    rng = np.random.default_rng(0)
    images, labels = signposts(4000, rng)
    test, truth = signposts(500, rng)
    keras.utils.set_random_seed(0)
    model = models.recurrent_attention(num_classes=2, num_glimpses=3, size=6, std=0.2, seed=0)
    model.compile(keras.optimizers.Adam(1e-3), training.HybridLoss(), metrics=["accuracy"])
    model.fit(images, labels, batch_size=64, epochs=1, verbose=0)
    early = model.evaluate(test, truth, verbose=0)[1]
    model.fit(images, labels, batch_size=64, epochs=25, verbose=0)
    late = model.evaluate(test, truth, verbose=0)[1]
    assert late > 0.8 and late > early + 0.1, (early, late)
