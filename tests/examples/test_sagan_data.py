import digits_data
import fashion_data
import numpy as np
import pytest
import sagan_data as data

RNG = np.random.default_rng(3)
# 5 digits, [28, 28]: blocks of 2 x 2 equal pixels, bright in the first row and column of the bounding square.
SMALL = RNG.integers(1, 256, (5, 14, 14)).astype("u1")
DIGITS = SMALL.repeat(2, axis=1).repeat(2, axis=2)[..., None]


def test_clothes_have_a_black_border():
    found = data.framed(np.full((2, 28, 28), 255, "u1"))
    assert found.shape == (2, 32, 32, 3) and found.dtype == "float32"
    assert found[0, 2:30, 2:30].min() == 1 and found[0, :2].max() == found[0, :, 30:].max() == -1


def test_twins_are_the_same_digit_left_and_right_and_nothing_else():
    images = data.twins(DIGITS, np.random.default_rng(0))
    assert images.shape == (5, 32, 32, 3) and images.dtype == "float32"
    for image, digit in zip(images, SMALL):
        expected = np.full((32, 32), -1, "float32")
        for left in (1, 17):
            top = (image[:, left, 0] > -1).argmax()
            expected[top : top + 14, left : left + 14] = digit / 127.5 - 1
        for color in range(3):
            np.testing.assert_allclose(image[..., color], expected, atol=1e-6)


def test_the_heights_of_twins_are_all_and_independent():
    images = data.twins(DIGITS[:1].repeat(4000, axis=0), np.random.default_rng(0))
    tops = [(images[:, :, left, 0] > -1).argmax(axis=1) for left in (1, 17)]
    counts = np.histogram2d(*tops, bins=19, range=[(-0.5, 18.5)] * 2)[0]
    assert counts.sum() == 4000 and (counts > 0).mean() > 0.99


def correlation(left, right):
    """The largest correlation over circular shifts, by a loop."""
    left, right = left - left.mean(), right - right.mean()
    products = [sum(left[y, x] * right[(y + s) % 32, x] for y in range(32) for x in range(16)) for s in range(32)]
    return max(products) / np.sqrt((left**2).sum() * (right**2).sum())


def test_agreement_of_halves():
    twins = data.twins(DIGITS[:3], np.random.default_rng(1))
    np.testing.assert_allclose(data.halves_agree(twins), 1, rtol=1e-5)
    mixed = twins.copy()
    mixed[:, :, 16:] = twins[[1, 2, 0], :, 16:]
    mixed[..., 1] += 0.3  # the mean of the colors counts
    expected = [correlation(image[:, :16].mean(axis=-1), image[:, 16:].mean(axis=-1)) for image in mixed]
    np.testing.assert_allclose(data.halves_agree(mixed), expected, rtol=1e-4)
    assert max(expected) < 0.97
    assert data.halves_agree(np.zeros((1, 32, 32, 3))) == [0]


@pytest.mark.parametrize("name, module", [("clothes", fashion_data), ("twins", digits_data)])
def test_tasks(name, module):
    task = data.TASKS[name]
    assert task.load is module.load and len(task.classes) == 10
    assert set(task.measures) == ({"agreement"} if name == "twins" else set())
