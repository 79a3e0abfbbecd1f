import keras
import numpy as np
import pixels_learning as learning
import pytest

from keras_attention import models
from tests.examples.interruptions import CopyAfter

SEED = 5


def digits(count=11):
    rng = np.random.default_rng(SEED)
    labels = np.arange(count, dtype="int32") % 3
    images = (labels[:, None, None, None] * 60 + rng.integers(0, 9, (count, 3, 4, 1))).astype("uint8")
    return images, labels


def build():
    keras.utils.set_random_seed(SEED)
    sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 9, "dropout": 0.0}
    return models.image_transformer(channels=1, query_block=4, memory_block=4, num_classes=3, **sizes)


def stand_in():
    """A model with logits of the class and the pixel alone, quickly traced."""
    keras.utils.set_random_seed(SEED)
    image, label = keras.Input((3, 4, 1), dtype="int32", name="image"), keras.Input((), dtype="int32", name="label")
    logits = keras.layers.Embedding(3, 256)(label)[:, None, None, None, :]
    model = keras.Model({"image": image, "label": label}, keras.layers.Dense(256)(image[..., None] / 255) + logits)
    model.likelihood, model.num_encoder_layers = "categorical", 0
    return model


def taken(count, **kwargs):
    return list(learning.batches(*digits(), 4, SEED, **kwargs).take(count).as_numpy_iterator())


def test_an_epoch_has_each_digit_once_and_the_next_has_another_order():
    images, labels = digits()
    epochs = taken(4)
    orders = []
    for found in (epochs[:2], epochs[2:]):  # three of eleven are dropped
        rows = [[int(np.flatnonzero((images == image).all((1, 2, 3)))[0]) for image in x["image"]] for x, _ in found]
        orders.append([row for part in rows for row in part])
        assert len(set(orders[-1])) == 8
        for (x, y), part in zip(found, rows):
            np.testing.assert_array_equal(x["label"], labels[part])
            np.testing.assert_array_equal(x["image"], y)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("first", [1, 2, 5])
def test_a_batch_does_not_depend_on_where_the_run_starts(first):
    for one, other in zip(taken(first + 2)[first:], taken(2, first=first)):
        np.testing.assert_array_equal(one[1], other[1])


def test_reduced_images_are_the_means_of_squares():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 1)).astype("uint8")
    found = learning.source_of(images)
    assert found.shape == (2, 2, 3, 1) and found.dtype == "int32"
    for (b, y, x, _), value in np.ndenumerate(found):
        assert abs(value - images[b, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean()) <= 0.5


def test_batches_of_super_resolution_have_the_reduced_images():
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 8, 1)).astype("uint8")
    [(x, y)] = learning.batches(images, np.arange(9, dtype="int32"), 4, SEED, source=True).take(1).as_numpy_iterator()
    np.testing.assert_array_equal(x["source"], learning.source_of(images[x["label"]]))
    np.testing.assert_array_equal(y, images[x["label"]])


def learn(model, folder, **kwargs):
    return learning.learn(model, *digits(), 5, 4, SEED, folder, rate=0.03, every=3, **kwargs)


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, request):
    whole = stand_in()
    killed = CopyAfter(4, tmp_path / "whole", tmp_path / "parts")
    assert learn(whole, tmp_path / "whole", callbacks=[killed]) == 0
    request.getfixturevalue("eager")  # one run in a graph is enough
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["step-00000003.weights.h5"]
    resumed = stand_in()
    assert learn(resumed, tmp_path / "parts") == 3
    for one, other, first in zip(whole.get_weights(), resumed.get_weights(), stand_in().get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
        assert np.abs(one - first).max() > 1e-4
    again = stand_in()
    assert learn(again, tmp_path / "parts") == 5
    for one, other in zip(resumed.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_bits_of_each_image_have_the_mean_that_keras_evaluates(request):
    from keras_attention import metrics, training

    model, (images, labels) = build(), digits()
    model.compile(loss=training.PixelNegativeLogLikelihood(), metrics=[metrics.BitsPerDim()], run_eagerly=True)
    _, expected = model.evaluate({"image": images.astype("int32"), "label": labels}, images.astype("int32"), verbose=0)
    request.getfixturevalue("functions_eager")
    each = learning.bits_of_each(model, images, labels, batch_size=4)
    assert each.shape == (11,)
    np.testing.assert_allclose(each.mean(), expected, rtol=1e-5)
