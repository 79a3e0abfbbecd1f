"""R11: digits on canvases, and the clutter around them."""

import cluttered_digits as data
import numpy as np
import pytest

DIGITS = np.random.default_rng(0).integers(1, 256, (6, 28, 28, 1)).astype("uint8")


def test_a_centred_digit_is_the_digit():
    made = data.canvases("centred", DIGITS, np.random.default_rng(0))
    assert made.dtype == "float32"
    np.testing.assert_allclose(made, DIGITS / 255, rtol=1e-6)


def test_a_translated_digit_is_whole_and_alone():
    made = data.canvases("translated", DIGITS, np.random.default_rng(0))
    assert made.shape == (6, 60, 60, 1)
    np.testing.assert_allclose(made.sum((1, 2, 3)), DIGITS.sum((1, 2, 3)) / 255, rtol=1e-5)
    for canvas, digit in zip(made[..., 0], DIGITS[..., 0]):
        rows, columns = np.nonzero(canvas.sum(1))[0], np.nonzero(canvas.sum(0))[0]
        np.testing.assert_allclose(canvas[rows[0] : rows[0] + 28, columns[0] : columns[0] + 28], digit / 255, rtol=1e-6)


def test_digits_come_to_all_places_alike():
    dot = np.zeros((4000, 28, 28, 1), "uint8")
    dot[:, 0, 0] = 255
    made = data.canvases("translated", dot, np.random.default_rng(0))[..., 0]
    places = np.argwhere(made)[:, 1:]
    assert places.min() == 0 and places.max() == 32  # 33 x 33 of them
    np.testing.assert_allclose(places.mean(0), 16, atol=0.6)
    assert len(np.unique(places, axis=0)) > 1000


@pytest.mark.parametrize("task", ["cluttered", "cluttered-100"])
def test_clutter_is_pieces_of_other_digits_and_a_sum_is_cut_off_at_1(task):
    side, pieces = data.TASKS[task]
    blank, bright = np.zeros((1000, 28, 28, 1), "uint8"), np.full((2, 28, 28, 1), 102, "uint8")
    made = data.canvases(task, blank, np.random.default_rng(0), bright)[..., 0]
    assert made.shape == (1000, side, side) and made.max() <= 1
    # Each piece has 8 x 8 pixels of 0.4; where three lie on each other, the sum is cut off.
    assert made.sum((1, 2)).max() <= pieces * 64 * 0.4 + 1e-3
    apart = made.sum((1, 2)) > pieces * 64 * 0.4 - 1e-3
    assert 0.3 < apart.mean() < 1
    corners = np.argwhere(made[:, :1, :1])
    assert len(corners), "a piece may begin in the corner"
    full = data.canvases(task, np.full((5, 28, 28, 1), 255, "uint8"), np.random.default_rng(0), bright)
    assert full.max() == 1


def test_the_same_chance_makes_the_same_canvases():
    one, again, other = (data.canvases("cluttered", DIGITS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
