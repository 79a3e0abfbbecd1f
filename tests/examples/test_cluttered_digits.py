"""Digits on canvases, and the clutter around them."""

import cluttered_digits as data
import numpy as np
import pytest

DIGITS = np.random.default_rng(0).integers(1, 256, (6, 28, 28, 1)).astype("uint8")


def test_a_centred_digit_is_the_digit():
    canvases = data.canvases("centred", DIGITS, np.random.default_rng(0))
    assert canvases.dtype == "float32"
    np.testing.assert_allclose(canvases, DIGITS / 255, rtol=1e-6)


def test_a_translated_digit_is_complete_and_without_clutter():
    canvases = data.canvases("translated", DIGITS, np.random.default_rng(0))
    assert canvases.shape == (6, 60, 60, 1)
    np.testing.assert_allclose(canvases.sum((1, 2, 3)), DIGITS.sum((1, 2, 3)) / 255, rtol=1e-5)
    for canvas, digit in zip(canvases[..., 0], DIGITS[..., 0]):
        rows, columns = np.nonzero(canvas.sum(1))[0], np.nonzero(canvas.sum(0))[0]
        np.testing.assert_allclose(canvas[rows[0] : rows[0] + 28, columns[0] : columns[0] + 28], digit / 255, rtol=1e-6)


def test_positions_of_digits_are_uniform():
    dot = np.zeros((4000, 28, 28, 1), "uint8")
    dot[:, 0, 0] = 255
    canvases = data.canvases("translated", dot, np.random.default_rng(0))[..., 0]
    corners = np.argwhere(canvases)[:, 1:]
    assert corners.min() == 0 and corners.max() == 32  # 33 x 33 of them
    np.testing.assert_allclose(corners.mean(0), 16, atol=0.6)
    assert len(np.unique(corners, axis=0)) > 1000


@pytest.mark.parametrize("task", ["cluttered", "cluttered-100"])
def test_clutter_is_crops_of_other_digits_and_the_sum_is_clipped_at_1(task):
    side, pieces = data.TASKS[task]
    blank, bright = np.zeros((1000, 28, 28, 1), "uint8"), np.full((2, 28, 28, 1), 102, "uint8")
    canvases = data.canvases(task, blank, np.random.default_rng(0), bright)[..., 0]
    assert canvases.shape == (1000, side, side) and canvases.max() <= 1
    # Each crop has 8 x 8 pixels of 0.4; where three overlap, the sum is clipped.
    assert canvases.sum((1, 2)).max() <= pieces * 64 * 0.4 + 1e-3
    apart = canvases.sum((1, 2)) > pieces * 64 * 0.4 - 1e-3
    assert 0.3 < apart.mean() < 1
    corners = np.argwhere(canvases[:, :1, :1])
    assert len(corners), "a crop may lie in the corner"
    full = data.canvases(task, np.full((5, 28, 28, 1), 255, "uint8"), np.random.default_rng(0), bright)
    assert full.max() == 1


def test_the_canvases_depend_on_the_seed_alone():
    one, again, other = (data.canvases("cluttered", DIGITS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
