import gated_digits_data as data
import numpy as np
import pytest

LABELS = np.arange(30, dtype="int32") % 10
# Uniform squares whose brightness is that of their class.
SQUARES = np.broadcast_to((LABELS[:, None, None] + 1) / 10, (30, data.DIGIT, data.DIGIT)).astype("float32")


def test_textures_differ_in_direction_alone():
    horizontal, vertical, checkerboard = (data.texture(cue, 0) for cue in range(3))
    assert (horizontal == horizontal[:, :1]).all() and (horizontal[1:] != horizontal[:-1]).all()
    assert (vertical == vertical[:1]).all() and (vertical[:, 1:] != vertical[:, :-1]).all()
    assert (checkerboard[1:] != checkerboard[:-1]).all() and (checkerboard[:, 1:] != checkerboard[:, :-1]).all()
    for cue in range(3):
        assert data.texture(cue, 0).mean() == 0.5
        np.testing.assert_array_equal(data.texture(cue, 1), 1 - data.texture(cue, 0))


def test_cue_gap_and_digits_are_where_they_are_stated():
    corners = np.array([[0, 0], [2, 1], [1, 2]])
    image = data.compose(SQUARES[[1, 2, 3]], 2, 1, corners)
    for channel, (y, x) in enumerate(corners):
        expected = np.zeros((14, 46))
        expected[:, :8] = data.texture(2, 1)
        expected[y : y + 12, 32 + x : 44 + x] = (channel + 2) / 10
        np.testing.assert_allclose(image[..., channel], expected, rtol=1e-6)


def drawn(seed=0, number=200, **kwargs):
    return data.draw(SQUARES, LABELS, number, np.random.default_rng(seed), **kwargs)


def test_the_class_is_the_digit_in_the_channel_of_the_cue():
    images, classes, cues, shown = drawn()
    for image, label, cue, digits in zip(images, classes, cues, shown):
        assert any(np.array_equal(image[:, : data.CUE, 0], data.texture(cue, phase)) for phase in (0, 1))
        np.testing.assert_allclose(image[:, data.ZONE :].max(axis=(0, 1)), (digits + 1) / 10, rtol=1e-6)
        assert label == digits[cue]
        assert len(set(digits)) == 3


def test_all_cues_classes_and_positions_occur():
    images, classes, cues, shown = drawn(number=1000)
    assert set(cues) == {0, 1, 2} and set(classes) == set(shown[:, 0]) == set(range(5))
    tops = (images[:, :, data.ZONE :, 0] > 0).any(axis=2).argmax(axis=1)
    lefts = (images[:, :, data.ZONE :, 0] > 0).any(axis=1).argmax(axis=1)
    assert set(zip(tops, lefts)) == {(y, x) for y in range(3) for x in range(3)}


def test_images_depend_on_the_random_numbers_alone():
    for one, other in zip(drawn(7), drawn(7), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(drawn(7)[0], drawn(8)[0])


@pytest.mark.parametrize("cue", range(3))
def test_a_given_cue_changes_nothing_else(cue):
    images, _, _, shown = drawn(number=20)
    swapped, classes, cues, same = drawn(number=20, cues=[cue] * 20)
    np.testing.assert_array_equal(swapped[:, :, data.CUE :], images[:, :, data.CUE :])
    np.testing.assert_array_equal(same, shown)
    np.testing.assert_array_equal(classes, shown[:, cue])
    assert (cues == cue).all()
