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
def test_a_batch_is_the_same_wherever_one_begins(first):
    for one, other in zip(taken(first + 2)[first:], taken(2, first), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_a_round_has_each_digit_once():
    numbers = {(image / np.float32(255)).astype("float32").tobytes(): i for i, image in enumerate(IMAGES)}
    rows = [numbers[image.tobytes()] for images, _ in taken(5, task="centred") for image in images]
    assert len(set(rows)) == 20  # two of 22 are left over


@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_as_one_without_interruption(tmp_path):
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
def test_what_is_taught_by_the_places(reinforce):
    """The loss less its cross-entropy: does it reach the core, and do the places reach the cross-entropy?"""
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
    places = tape.gradient(entropy, model.get_layer("location_policy").trainable_variables)
    assert all((g is not None and np.abs(g).max() > 0) == (reinforce == "none") for g in places)


@pytest.mark.usefixtures("eager")
def test_answers_by_the_means_and_by_draws():
    model = learning.build("centred", 5, num_glimpses=3, std=0.5, **SMALL)
    pictures = learning.examined("centred", IMAGES[:11], 5, IMAGES)
    classes, places = learning.answers(model, pictures, batch_size=6)
    assert classes.shape == (11,) and places.shape == (11, 3, 2)
    np.testing.assert_array_equal(classes, np.argmax(model.predict_on_batch(pictures)["logits"], -1))
    twin = learning.build("centred", 5, num_glimpses=3, std=0.5, **SMALL)
    twin.set_weights(model.get_weights())
    drawn, _ = learning.answers(model, pictures, draws=2, batch_size=6)
    parts = [twin.mean_probabilities(pictures[i : i + 6], 2) for i in range(0, 11, 6)]
    np.testing.assert_array_equal(drawn, np.argmax(np.concatenate(parts), -1))
    np.testing.assert_array_equal(pictures, learning.examined("centred", IMAGES[:11], 5, IMAGES))


def test_the_clutter_that_is_examined_comes_from_the_digits_learned():
    white = np.full_like(IMAGES, 255)
    seen = learning.examined("cluttered", np.zeros_like(IMAGES), 5, white)
    assert set(np.unique(seen)) == {0.0, 1.0}
