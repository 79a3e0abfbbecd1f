import io

import numpy as np
import pytest

from keras_attention.visualize import animate_glimpses, plot_glimpses

LOCATIONS = np.array([[[0, 0], [-1, 1], [0.5, -0.5]]] * 5, "float32")
IMAGES = np.random.default_rng(0).random((5, 20, 28, 1))


def test_outlines_and_numbers_are_at_the_locations():
    figure = plot_glimpses(IMAGES, LOCATIONS[:, :2], [8, 15], labels="abcde", title="paths")
    figure.savefig(io.BytesIO(), format="png")
    panels = figure.axes[:5]
    assert [axes.get_title() for axes in panels] == list("abcde")
    for axes, image in zip(panels, IMAGES):
        np.testing.assert_allclose(axes.images[0].get_array()[..., 1], image[..., 0], rtol=1e-6)
        # The narrowest patch of the first glimpse, and all patches of the last: left, upper, width, height.
        boxes = [patch.get_bbox().bounds for patch in axes.patches]
        assert boxes == [(9.5, 5.5, 8, 8), (23.5, -4.5, 8, 8), (20.5, -7.5, 15, 15)]
        assert [text.get_text() for text in axes.texts] == ["1", "2"]
        assert [text.get_position() for text in axes.texts] == [(9.5, 5.5), (23.5, -4.5)]
        path, start = axes.lines[:2]
        np.testing.assert_allclose(path.get_xydata(), [(13.5, 9.5), (27.5, -0.5)])
        np.testing.assert_allclose(start.get_xydata(), [(13.5, 9.5)])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["start", "last glimpse"]


@pytest.mark.parametrize("widths", [[5], [5, 7], [25], [25, 60]])
def test_the_narrowest_outlines_are_inside_the_picture_and_wide_ones_leave_room_for_the_image(widths):
    corners = np.array([[[-1, -1], [1, 1]], [[-1, 1], [1, -1]]])
    figure = plot_glimpses(IMAGES[:2], corners, widths)
    for axes in figure.axes[:2]:
        (left, right), (lower, upper) = axes.get_xlim(), axes.get_ylim()
        for patch in axes.patches:
            x, y, width, height = patch.get_bbox().bounds
            if width == widths[0]:
                assert left <= x and x + width <= right and upper <= y and y + height <= lower
        assert right - left <= max(IMAGES.shape[2] + 2 + widths[0] + 1, IMAGES.shape[2] * 4 / 3)


def test_an_animation_has_one_more_glimpse_in_each_frame(tmp_path):
    from PIL import Image

    animate_glimpses(tmp_path / "paths.gif", IMAGES[0], LOCATIONS[0], [8], title="one")
    animation = Image.open(tmp_path / "paths.gif")
    assert animation.n_frames == 3
    colored = []
    for frame in range(3):
        animation.seek(frame)
        pixels = np.asarray(animation.convert("RGB")).astype(int)
        # The orange outline of the first glimpse, which is the last one in the first frame.
        colored.append((np.abs(pixels - (0xD5, 0x5E, 0x00)).max(axis=-1) < 40).sum())
    assert colored[0] < colored[1] and animation.info["duration"] == 2000


@pytest.mark.parametrize(
    ("images", "locations", "widths", "message"),
    [
        (IMAGES, LOCATIONS[:4], [8], r"`locations` must be.*Received.*locations.shape=\(4, 3, 2\)"),
        (IMAGES[0], LOCATIONS, [8], "`locations` must be"),
        (IMAGES, LOCATIONS[:, :0], [8], "T at least 1"),
        (IMAGES, LOCATIONS, [8, 4], r"`widths` must be positive, in ascending order. Received: widths=\[8, 4\]"),
        (IMAGES, LOCATIONS, [], "`widths`"),
    ],
)
def test_wrong_arguments_raise_errors(images, locations, widths, message):
    with pytest.raises(ValueError, match=message):
        plot_glimpses(images, locations, widths)
