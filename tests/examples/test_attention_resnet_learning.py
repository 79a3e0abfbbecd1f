import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)

import attention_resnet_learning as learning

from tests.examples.interruptions import CopyAfter

SEED = 5


def images_and_labels(count=22):
    rng = np.random.default_rng(SEED)
    return rng.integers(0, 256, (count, 6, 5)).astype("u1"), rng.integers(0, 3, count).astype("u1")


def taken(count, **kwargs):
    return list(learning.batches(*images_and_labels(), 4, SEED, **kwargs).take(count).as_numpy_iterator())


@pytest.mark.parametrize("first", [1, 4, 5, 13])
def test_a_batch_does_not_depend_on_where_the_run_starts(first):
    for one, other in zip(taken(first + 2)[first:], taken(2, first=first), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_an_epoch_has_each_image_once_and_the_next_has_another_order(monkeypatch):
    monkeypatch.setattr(learning, "varied", lambda images, rng: learning.prepared(images))
    images, labels = images_and_labels()
    names = {learning.prepared(image[None]).tobytes(): number for number, image in enumerate(images)}
    batches = taken(10)
    epochs = [[names[image[None].tobytes()] for x, _ in part for image in x] for part in (batches[:5], batches[5:])]
    for rows, part in zip(epochs, (batches[:5], batches[5:])):
        assert len(set(rows)) == 20  # two of 22 are dropped
        np.testing.assert_array_equal(labels[rows], np.concatenate([y for _, y in part]))
    assert epochs[0] != epochs[1]


def test_augmentation_is_a_flip_and_a_shift():
    image = images_and_labels(1)[0]
    black = learning.prepared(np.zeros((1, 1, 1), "u1")).item()
    around = np.pad(learning.prepared(image)[0, ..., 0], 2, constant_values=black)
    possible = {
        side[y : y + 6, x : x + 5].tobytes(): (flipped, y, x)
        for flipped, side in enumerate((around, np.ascontiguousarray(around[:, ::-1])))
        for y in range(5)
        for x in range(5)
    }
    varied = learning.varied(np.repeat(image, 200, axis=0), np.random.default_rng(0))
    found = {possible[one.tobytes()] for one in varied[..., 0]}
    assert len(found) > 40  # of 50


def test_prepared_images():
    found = learning.prepared(np.array([[[0, 255]]], "u1"))
    np.testing.assert_allclose(found[0, 0, :, 0], [-0.8102, 2.0227], atol=1e-3)


def test_accuracy_is_that_of_all_images():
    images, labels = images_and_labels()

    class Model:
        def predict_on_batch(self, x):
            rows = [np.flatnonzero((learning.prepared(images) == one).all((1, 2, 3)))[0] for one in x]
            logits = np.eye(3)[labels[rows]]
            logits[np.array(rows) % 11 == 0] *= -1  # two errors of 22
            return logits

    assert learning.accuracy(Model(), images, labels, batch_size=5) == pytest.approx(20 / 22)


@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    def build():  # in place of an `AttentionResNet`, whose steps are slow
        keras.utils.set_random_seed(SEED)
        x = keras.layers.Flatten()(image := keras.Input((6, 5, 1)))
        return keras.Model(image, keras.layers.Dense(3)(keras.layers.BatchNormalization()(x)))

    arguments = (*images_and_labels(), 3, 4, SEED)
    straight = build()
    killed = CopyAfter(2, tmp_path / "straight", tmp_path / "broken")
    assert learning.learn(straight, *arguments, tmp_path / "straight", every=2, callbacks=[killed]) == 0
    again = build()
    assert learning.learn(again, *arguments, tmp_path / "broken", every=2) == 2
    assert int(again.optimizer.iterations) == 3
    for a, b in zip(straight.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    done = build()
    assert learning.learn(done, *arguments, tmp_path / "broken", every=2) == 3
    np.testing.assert_array_equal(done.get_weights()[0], again.get_weights()[0])
