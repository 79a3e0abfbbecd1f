import numpy as np
import twins_data as data

RNG = np.random.default_rng(3)
# 5 digits [28, 28] of blocks of 2 x 2 equal pixels, none of them black.
SMALL = RNG.integers(1, 256, (5, 14, 14)).astype("u1")
DIGITS = SMALL.repeat(2, axis=1).repeat(2, axis=2)[..., None]


def test_twins_are_the_same_digit_left_and_right_and_nothing_else():
    images = data.draw(DIGITS, np.random.default_rng(0), 20, 48)
    assert images.shape == (5, 20, 48) and images.dtype == "float32"
    for image, digit in zip(images, SMALL):
        expected = np.zeros((20, 48), "float32")
        for left in (1, 33):
            top = (image[:, left] > 0).argmax()
            expected[top : top + 14, left : left + 14] = digit / 255
        np.testing.assert_allclose(image, expected, atol=1e-6)


def test_the_heights_of_twins_are_all_and_independent():
    images = data.draw(DIGITS[:1].repeat(4000, axis=0), np.random.default_rng(0))
    tops = [(images[:, :, left] > 0).argmax(axis=1) for left in (1, 17)]
    counts = np.histogram2d(*tops, bins=19, range=[(-0.5, 18.5)] * 2)[0]
    assert counts.sum() == 4000 and (counts > 0).mean() > 0.99


def test_strangers_have_the_last_part_of_the_next_image():
    images = np.arange(3 * 2 * 40).reshape(3, 2, 40)
    found = data.strangers(images)
    for number, image in enumerate(found):
        np.testing.assert_array_equal(image[:, :24], images[number, :, :24])
        np.testing.assert_array_equal(image[:, 24:], images[(number + 1) % 3, :, 24:])


def correlation(left, right):
    """The largest correlation over circular shifts, by a loop."""
    left, right, rows = left - left.mean(), right - right.mean(), len(left)
    products = [sum(left[y, x] * right[(y + s) % rows, x] for y in range(rows) for x in range(16)) for s in range(rows)]
    return max(products) / np.sqrt((left**2).sum() * (right**2).sum())


def test_agreement_of_twins_and_of_strangers():
    twins = data.draw(DIGITS, np.random.default_rng(1), 21, 40)
    np.testing.assert_allclose(data.agreement(2 * twins - 1), 1, rtol=1e-5)
    mixed = data.strangers(twins)
    expected = [correlation(image[:, :16], image[:, 24:]) for image in mixed]
    np.testing.assert_allclose(data.agreement(mixed), expected, rtol=1e-4)
    assert max(expected) < 0.97
    assert data.agreement(np.zeros((1, 32, 32))) == [0]
