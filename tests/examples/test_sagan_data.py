import digits_data
import fashion_data
import numpy as np
import pytest
import sagan_data as data
import twins_data


def test_clothes_have_a_black_border():
    found = data.framed(np.full((2, 28, 28), 255, "u1"))
    assert found.shape == (2, 32, 32, 3) and found.dtype == "float32"
    assert found[0, 2:30, 2:30].min() == 1 and found[0, :2].max() == found[0, :, 30:].max() == -1


def test_twins_are_gray_and_agree():
    digits = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype("u1")
    found = data.twins(digits, np.random.default_rng(1))
    expected = twins_data.draw(digits, np.random.default_rng(1), 32, 32)
    assert found.shape == (3, 32, 32, 3) and found.dtype == "float32"
    for color in range(3):
        np.testing.assert_allclose(found[..., color], 2 * expected - 1, atol=1e-6)
    np.testing.assert_allclose(data.agreement(found), 1, rtol=1e-5)
    found[:, :, 16:, 1] = 0.3  # one color of a half: the mean of the colors counts
    np.testing.assert_allclose(data.agreement(found), twins_data.agreement(found.mean(axis=-1)))
    assert data.agreement(twins_data.strangers(found)).max() < 0.99


def test_the_parts_that_show_the_class_are_gray():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    gray = images.mean(axis=-1)
    [found] = data.TASKS["clothes"].parts(images)
    np.testing.assert_array_equal(found[..., 0], gray)
    left, right = data.TASKS["twins"].parts(images)
    np.testing.assert_array_equal(left[..., 0], gray[:, :, :16])
    np.testing.assert_array_equal(right[..., 0], gray[:, :, 16:])


@pytest.mark.parametrize("name, module", [("clothes", fashion_data), ("twins", digits_data)])
def test_tasks(name, module):
    task = data.TASKS[name]
    assert task.load is module.load and len(task.classes) == 10
    assert set(task.measures) == ({"agreement"} if name == "twins" else set())
