import io
from itertools import pairwise

import numpy as np
import pytest

from keras_attention import models
from keras_attention.visualize import attention_scores, image_grid, overlay, point_maps, rollout, style, tile_images

RNG = np.random.default_rng(0)


def pixels(figure):
    """The rendered figure, RGB [rows, columns, 3]."""
    figure.savefig(file := io.BytesIO(), format="rgba", dpi=100)
    width, height = (int(size * 100) for size in figure.get_size_inches())
    return np.frombuffer(file.getvalue(), "uint8").reshape(height, width, 4)[..., :3].astype(int)


def inside(axes, picture):
    """The pixels of the axes."""
    box = axes.get_window_extent()
    return picture[len(picture) - round(box.y1) : len(picture) - round(box.y0), round(box.x0) : round(box.x1)]


@pytest.mark.parametrize(
    ("images", "value_range"),
    [
        (RNG.integers(0, 256, (2, 3, 4, 5, 3)).astype("uint8"), None),
        (RNG.random((2, 3, 4, 5, 1)), None),
        (RNG.uniform(-1.2, 1.2, (2, 3, 4, 5, 3)), (-1, 1)),
    ],
)
def test_tiles_are_rescaled_and_have_borders(images, value_range):
    tiles = tile_images(images, value_range=value_range)
    assert tiles.shape == (12, 21, 3)
    low, high = value_range or ((0, 255) if images.dtype == "uint8" else (0, 1))
    for row in range(2):
        for column in range(3):
            framed = tiles[row * 6 : row * 6 + 6, column * 7 : column * 7 + 7]
            expected = np.broadcast_to((images[row, column] - low) / (high - low), (4, 5, 3)).clip(0, 1)
            np.testing.assert_allclose(framed[1:-1, 1:-1], expected, atol=1e-6)
            assert (framed[[0, -1]] == style.BORDER).all() and (framed[:, [0, -1]] == style.BORDER).all()


def test_image_grid_labels_the_middle_of_rows_and_columns():
    images = np.zeros((2, 3, 40, 50, 3), "uint8")
    images[1, 2] = (200, 0, 0)
    figure = image_grid(images, row_labels=["real", "fake"], column_labels=["a", "b", "c"], title="samples")
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["real", "fake"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert figure.get_suptitle() == "samples"
    picture = pixels(figure)
    red = np.argwhere((picture == (200, 0, 0)).all(axis=-1))
    y, x = red.min(axis=0), red.max(axis=0)
    fake, last = axes.get_yticklabels()[1].get_window_extent(), axes.get_xticklabels()[2].get_window_extent()
    assert abs((y + x)[0] / 2 - (len(picture) - (fake.y0 + fake.y1) / 2)) < 4
    assert abs((y + x)[1] / 2 - (last.x0 + last.x1) / 2) < 4


def test_long_labels_of_narrow_columns_are_upright():
    labels = [f"a long label {i}" for i in range(12)]
    figure = image_grid(np.zeros((1, 12, 8, 8, 1)), column_labels=labels)
    pixels(figure)
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert max(box.y1 for box in boxes) <= figure.get_size_inches()[1] * 100
    assert figure.get_size_inches()[0] == 7


def test_point_maps_are_the_scores_of_the_queries():
    scores = RNG.random((2, 12, 10))
    points = [(0.0, 0.99), (0.7, 0.3)]
    maps = point_maps(scores, points, query_grid=(3, 4), key_grid=(2, 5))
    assert maps.shape == (2, 2, 2, 5)
    for b in range(2):
        for y in range(2):
            for x in range(5):
                # Row 0, column 3 of the queries; row 2, column 1.
                assert maps[b, 0, y, x] == scores[b, 3, 5 * y + x]
                assert maps[b, 1, y, x] == scores[b, 9, 5 * y + x]


def test_the_overlay_shows_a_map_at_its_place_on_the_image():
    maps = np.zeros((2, 4, 6))
    maps[0, 1, 4] = 0.5
    maps[1, 3, 0] = 0.001  # each map has its own scale
    figure = overlay(np.full((40, 90, 3), 100, "uint8"), maps, [(0.5, 0.1), (0.2, 0.9)], labels=["one", "two"])
    picture = pixels(figure)
    assert [axes.get_title() for axes in figure.axes] == ["", "one", "two"]
    for axes, (row, column) in zip(figure.axes[1:], [(1, 4), (3, 0)]):
        panel = inside(axes, picture)
        bright = panel[..., 1] > 120  # green: high in the bright end of the color map only
        centre = np.argwhere(bright).mean(axis=0) / panel.shape[:2]
        np.testing.assert_allclose(centre, [(row + 0.5) / 4, (column + 0.5) / 6], atol=0.05)
    for axes, marks in zip(figure.axes, [[(0.5, 0.1), (0.2, 0.9)], [(0.5, 0.1)], [(0.2, 0.9)]]):
        panel = inside(axes, picture)
        for (row, column), line in zip(marks, axes.lines, strict=True):
            color = np.array([int(line.get_color()[i : i + 2], 16) for i in (1, 3, 5)])
            assert np.abs(panel[int(row * len(panel)), int(column * panel.shape[1])] - color).max() < 20


def test_the_overlay_has_a_row_for_each_image():
    images = RNG.uniform(-1, 1, (3, 8, 12, 1))
    maps = RNG.random((3, 2, 4, 6))
    figure = overlay(images, maps, value_range=(-1, 1), interpolation="bilinear", title="maps")
    panels = np.array(figure.axes).reshape(3, 3)
    for row, image, pair in zip(panels, images, maps):
        for axes, expected in zip(row[1:], pair):
            np.testing.assert_allclose(axes.images[1].get_array(), expected, rtol=1e-6)
        np.testing.assert_allclose(row[0].images[0].get_array()[..., 2], (image[..., 0] + 1) / 2, atol=1e-6)
        np.testing.assert_allclose(row[2].images[0].get_array(), (image[..., 0] + 1) / 2, atol=1e-6)
    pixels(figure)


def test_the_overlay_of_the_rollout_of_a_class_token():
    model = models.VisionTransformer(
        (8, 12), 4, num_layers=2, model_dim=8, num_heads=2, intermediate_dim=16, num_classes=4, input_channels=1
    )
    image = RNG.random((8, 12, 1)).astype("float32")
    found = rollout(attention_scores(model, image[None]))[0, 0, 1:].reshape(2, 3)
    figure = overlay(image, found)
    assert len(figure.axes) == 2
    np.testing.assert_allclose(figure.axes[1].images[1].get_array(), found, rtol=1e-6)


IMAGE = np.zeros((8, 12, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tile_images(np.zeros((3, 8, 12, 3))), r"`images` must be \[rows, columns, Y, X, C\].*\(3, 8, 12, 3\)"),
        (lambda: tile_images(np.zeros((1, 3, 8, 12, 2))), "1 or 3 channels.*Received: shape"),
        (lambda: tile_images(IMAGE[None, None], value_range=(1, 1)), r"low < high. Received: value_range=\(1, 1\)"),
        (lambda: image_grid(IMAGE[None, None], row_labels="ab"), "`row_labels` must be 1 labels.*Received: 2"),
        (lambda: overlay(IMAGE, np.zeros((2, 3, 4, 5))), r"`maps` must be \[y, x\].*maps.shape=\(2, 3, 4, 5\)"),
        (lambda: overlay(IMAGE[None], np.zeros((2, 3, 4, 5))), "`maps` must be"),
        (lambda: overlay(IMAGE, np.zeros((2, 4, 5)), [(0.5, 0.5)]), "`points` must be as many.*2. Received: 1 points"),
        (lambda: overlay(IMAGE, np.zeros((4, 5)), [(4, 5)]), "from 0 up to 1. Received: points="),
        (lambda: point_maps(np.zeros((12, 9)), [(0, 0)]), "`query_grid` must be.*12 positions.*query_grid=None"),
        (lambda: point_maps(np.zeros((9, 12)), [(0, 0)], key_grid=(2, 5)), r"`key_grid`.*key_grid=\(2, 5\)"),
    ],
)
def test_wrong_arguments_raise_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
