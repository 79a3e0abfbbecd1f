import keras
import numpy as np
import pytest

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import class_reading


def halves(images):
    return [images[:, :, :4], images[:, :, 4:]]


def bars(rows, rng=None):
    """Images of 5 x 8 pixels with a bar in the left and in the right half, in these rows: [B] or [B, 2]."""
    images = np.zeros((len(rows), 5, 8, 1), "float32")
    for image, at in zip(images, rows):
        left, right = np.broadcast_to(at, 2)
        image[left, :4] = image[right, 4:] = 1
    return images


@pytest.fixture(scope="module")
def reader():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_reading, "UPDATES", 100)
        patch.setattr(class_reading, "BATCH", 20)
        labels = np.arange(5, dtype="uint8")
        return class_reading.Reader(bars, halves, labels, labels)


def test_each_part_is_read(reader):
    pairs = np.array([[0, 0], [1, 3], [4, 2], [3, 3]])
    np.testing.assert_array_equal(reader.classes(bars(pairs)), pairs.T)


def test_an_image_is_right_if_all_of_its_parts_are(reader):
    images = bars([[0, 0], [1, 3], [4, 2], [3, 3]])
    assert reader.right(images, np.array([0, 1, 2, 3])) == 0.5
    assert reader.right(images, np.array([0, 3, 4, 1])) == 0.25


def test_the_share_of_images_with_equal_parts(reader):
    assert reader.equal(bars([[0, 0], [1, 3], [4, 2], [3, 3]])) == 0.5
    assert reader.equal(bars([[2, 1], [2, 2], [4, 4], [3, 3]])) == 0.75


def test_readers_of_the_same_images_are_equal(monkeypatch):
    monkeypatch.setattr(class_reading, "UPDATES", 2)
    labels = np.arange(5, dtype="uint8")
    first, second = (class_reading.Reader(bars, halves, labels, labels).network for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(one, other)
