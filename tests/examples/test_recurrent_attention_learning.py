import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)

import recurrent_attention_learning as learning

from tests.examples.interruptions import CopyAfter

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (22, 28, 28, 1)).astype("uint8"), np.arange(22, dtype="int32") % 10
SMALL = {"glimpse_units": 5, "location_units": 4, "units": 6}


def taken(number, first=0, task="cluttered"):
    data = learning.batches(task, IMAGES, LABELS, 4, 5, first)
    return [next(data) for _ in range(number)]


@pytest.mark.parametrize("first", [1, 4, 5, 13])
def test_a_batch_does_not_depend_on_where_the_run_starts(first):
    for one, other in zip(taken(first + 2)[first:], taken(2, first), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_canvases_of_the_test_are_those_of_no_training_batch():
    same = np.full((6, 28, 28, 1), 255, "uint8")  # places and clutter differ alone
    test = learning.examined("cluttered", same, same)
    for seed in range(3):
        training, _ = next(learning.batches("cluttered", same, np.zeros(6, "int32"), 6, seed))
        assert np.abs(training - test).max() > 0


def test_an_epoch_has_each_digit_once():
    numbers = {(image / np.float32(255)).astype("float32").tobytes(): i for i, image in enumerate(IMAGES)}
    rows = [numbers[image.tobytes()] for images, _ in taken(5, task="centred") for image in images]
    assert len(set(rows)) == 20  # two of 22 are dropped


@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    def build():
        return learning.build("centred", 5, num_glimpses=2, **SMALL)

    arguments = ("centred", IMAGES, LABELS, 3, 4, 5)
    straight = build()
    killed = CopyAfter(2, tmp_path / "straight", tmp_path / "broken")
    assert learning.learn(straight, *arguments, tmp_path / "straight", every=2, callbacks=[killed]) == 0
    again = build()
    assert learning.learn(again, *arguments, tmp_path / "broken", every=2) == 2
    assert int(again.optimizer.iterations) == 3
    for a, b in zip(straight.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("reinforce", ["policy", "core", "none"])
def test_gradients_of_each_mode_of_reinforce(reinforce):
    """Whether the REINFORCE terms reach the core, and whether the cross-entropy reaches the policy."""
    import tensorflow as tf

    model = learning.build("centred", 5, reinforce, num_glimpses=2, **SMALL)
    assert learning.loss_of(model, 0.3).reinforce_weight == (0.0 if reinforce == "none" else 0.3)
    loss, images = learning.loss_of(model), IMAGES[:8].astype("float32") / 255
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(images, training=True)
        whole = loss(LABELS[:8], outputs)
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS[:8], outputs["logits"])
    core = model.get_layer("core_input").kernel
    difference = tape.gradient(whole, core) - tape.gradient(entropy, core)
    assert bool(np.abs(difference).max() > 1e-4) == (reinforce == "core")
    policy = tape.gradient(entropy, model.get_layer("location_policy").trainable_variables)
    assert all((g is not None and np.abs(g).max() > 0) == (reinforce == "none") for g in policy)


@pytest.mark.usefixtures("eager")
def test_predictions_with_mean_and_with_sampled_locations():
    model = learning.build("centred", 5, num_glimpses=3, std=0.5, **SMALL)
    test_images = learning.examined("centred", IMAGES[:11], IMAGES)
    classes, locations = learning.answers(model, test_images, batch_size=6)
    assert classes.shape == (11,) and locations.shape == (11, 3, 2)
    np.testing.assert_array_equal(classes, np.argmax(model.predict_on_batch(test_images)["logits"], -1))
    twin = learning.build("centred", 5, num_glimpses=3, std=0.5, **SMALL)
    twin.set_weights(model.get_weights())
    sampled, _ = learning.answers(model, test_images, draws=2, batch_size=6)
    parts = [twin.mean_probabilities(test_images[i : i + 6], 2) for i in range(0, 11, 6)]
    np.testing.assert_array_equal(sampled, np.argmax(np.concatenate(parts), -1))
    np.testing.assert_array_equal(test_images, learning.examined("centred", IMAGES[:11], IMAGES))


def test_the_clutter_of_test_images_is_of_training_digits():
    white = np.full_like(IMAGES, 255)
    seen = learning.examined("cluttered", np.zeros_like(IMAGES), white)
    assert set(np.unique(seen)) == {0.0, 1.0}


def test_predictions_of_a_network_without_glimpses():
    model = learning.baseline("convolutions, published", "translated", 5)
    pictures = learning.examined("translated", IMAGES[:11], IMAGES)
    classes, locations = learning.answers(model, pictures, batch_size=6)
    np.testing.assert_array_equal(classes, np.argmax(model.predict_on_batch(pictures), -1))
    assert locations is None and isinstance(learning.loss_of(model), keras.losses.SparseCategoricalCrossentropy)


@pytest.mark.parametrize("task", ["centred", "cluttered-100"])
def test_the_baseline_costs_as_much_as_the_glimpses(task):
    glimpses = learning.cost(learning.build(task, 0), task)
    assert glimpses <= learning.cost(learning.baseline("convolutions, equal cost", task, 0), task) < 1.3 * glimpses
    fewer = learning.baseline("convolutions, equal cost", task, 0, num_glimpses=2)
    assert learning.cost(fewer, task) < glimpses / 2
