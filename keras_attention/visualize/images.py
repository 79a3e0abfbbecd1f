"""Images side by side, and attention maps over images."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.types import Figure
from keras_attention.visualize.labels import drawable, require_labels
from keras_attention.visualize.style import (
    BORDER,
    FONT_SIZE,
    HEAT,
    LETTER,
    PALETTE,
    WIDTH,
    colored,
    new_figure,
    wide_enough,
)

LARGEST = 2.2  # inches: width of an image among few


def tile_images(images: ArrayLike, *, value_range: Sequence[float] | None = None) -> np.ndarray:
    """Joins a grid of images into one, with a gray border around each.

    Args:
        images: Array [rows, columns, Y, X, C] of 1 or 3 channels.
        value_range: Pair (black, white), such as (-1, 1); values beyond are clipped. `None`: (0, 255) for integers and
            (0, 1) for floats.

    Returns:
        float32 array [rows (Y + 2 b), columns (X + 2 b), 3] from 0 to 1. The border b is 1 pixel for images up to 64
        pixels wide.

    Raises:
        ValueError: If the shape or `value_range` is wrong.

    Example:

    >>> tile_images(np.zeros((2, 3, 4, 5, 1))).shape
    (12, 21, 3)
    """
    images = colored(images, value_range)
    if images.ndim != 5:
        raise ValueError(f"`images` must be [rows, columns, Y, X, C]. Received: images.shape={images.shape}")
    b = math.ceil(images.shape[3] / 64)
    framed = np.pad(images, ((0, 0), (0, 0), (b, b), (b, b), (0, 0)), constant_values=BORDER)
    rows, columns, Y, X, C = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * Y, columns * X, C)


def image_grid(
    images: ArrayLike,
    *,
    value_range: Sequence[float] | None = None,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Plots a grid of images, with labels of its rows and columns.

    Args:
        images: Array [rows, columns, Y, X, C] of 1 or 3 channels.
        value_range: Pair (black, white), such as (-1, 1); values beyond are clipped. `None`: (0, 255) for integers and
            (0, 1) for floats.
        row_labels: Strings, one for each row; `None`: no labels.
        column_labels: Strings, one for each column, in any script; `None`: no labels.
        title: String above the figure.

    Returns:
        `matplotlib.figure.Figure`, at most 7 inches wide.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the shape, the number of labels or `value_range` is wrong.

    Example:

    >>> figure = image_grid(np.zeros((2, 3, 4, 5, 1)), column_labels=["cat", "dog", "eel"], title="samples")
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['cat', 'dog', 'eel']
    """
    sheet = tile_images(images, value_range=value_range)
    rows, columns = np.shape(images)[:2]
    row_labels = [] if row_labels is None else require_labels(row_labels, rows, "row_labels")
    column_labels = [] if column_labels is None else require_labels(column_labels, columns, "column_labels")
    style, row_labels, column_labels, [title] = drawable(row_labels, column_labels, [title or ""])
    Y, X = sheet.shape[0] / rows, sheet.shape[1] / columns
    width = min(WIDTH, LARGEST * columns)
    longest = LETTER * max(map(len, column_labels), default=0)
    upright = longest > width / columns
    above = (longest if upright else 0.3 * bool(column_labels)) + 0.3 * bool(title)
    figure = new_figure(wide_enough(width, title), width * Y * rows / (X * columns) + above)
    axes = figure.subplots()
    axes.imshow(sheet)
    axes.set_anchor("NW")  # The room for labels is measured from there.
    axes.set_yticks((np.arange(len(row_labels)) + 0.5) * Y - 0.5, row_labels, fontsize=FONT_SIZE, **style)
    axes.set_xticks(
        (np.arange(len(column_labels)) + 0.5) * X - 0.5,
        column_labels,
        fontsize=FONT_SIZE,
        rotation=90 * upright,
        **style,
    )
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=FONT_SIZE, **style)
    return figure


def point_maps(
    scores: ArrayLike,
    points: ArrayLike,
    *,
    query_grid: Sequence[int] | None = None,
    key_grid: Sequence[int] | None = None,
) -> np.ndarray:
    """Returns the attention maps of chosen points of an image.

        scores: [..., T, S], points: [P, 2]    ->    maps: [..., P, y, x],   S = y x

    Queries and keys are positions of an image, row by row; keys may be pooled. Slice other positions off before:
    `scores[..., 1:, 1:]` leaves out a class token.

    Args:
        scores: Array [..., T, S].
        points: P pairs (row, column) as parts of the height and the width, from 0 up to 1: (0.5, 0.5) is the middle.
        query_grid: Pair (rows, columns) whose product is T; `None`: a square.
        key_grid: Pair (rows, columns) whose product is S; `None`: a square.

    Returns:
        NumPy array [..., P, y, x]: the scores of the query in which each point lies.

    Raises:
        ValueError: If a grid does not fit the scores, or a point is outside of the image.

    Example:

    >>> scores = np.eye(4) * 0.5
    >>> point_maps(scores, [(0.0, 0.9)]).tolist()
    [[[0.0, 0.5], [0.0, 0.0]]]
    """
    scores, points = np.asarray(scores), _require_points(points)
    rows, columns = _require_grid(query_grid, scores.shape[-2], "query_grid")
    y, x = _require_grid(key_grid, scores.shape[-1], "key_grid")
    at = [int(row * rows) * columns + int(column * columns) for row, column in points]
    return scores[..., at, :].reshape(*scores.shape[:-2], len(at), y, x)


def overlay(
    images: ArrayLike,
    maps: ArrayLike,
    points: ArrayLike | None = None,
    *,
    value_range: Sequence[float] | None = None,
    interpolation: str = "nearest",
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Plots images, and beside each of them its attention maps over a gray copy: one row per image.

    Maps may be coarser than the image: cells are stretched over it. Each map has its own color scale, from 0 to its
    maximum.

    Args:
        images: Array [Y, X, C] or [B, Y, X, C] of 1 or 3 channels.
        maps: Array [y, x] or [P, y, x] of one image; [B, P, y, x] of several. Those of `point_maps`, say, or the
            rollout of a class token: `rollout(scores)[0, 0, 1:].reshape(y, x)`.
        points: P pairs (row, column), each with its map, as parts of the height and the width from 0 up to 1; marked on
            the image and on the map. `None`: no marks.
        value_range: Pair (black, white), such as (-1, 1); values beyond are clipped. `None`: (0, 255) for integers and
            (0, 1) for floats.
        interpolation: `"nearest"` shows the cells, `"bilinear"` a smooth map, or another of matplotlib's.
        labels: P strings above the maps; `None`: no labels.
        title: String above the figure.

    Returns:
        `matplotlib.figure.Figure`, at most 7 inches wide, with `B (1 + P)` axes.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If shapes or numbers do not fit each other, or a point is outside of the image.

    Example:

    >>> image, maps, points = np.zeros((8, 12, 3)), np.ones((2, 4, 6)), [(0.5, 0.5), (0.1, 0.9)]
    >>> figure = overlay(image, maps, points, labels=["middle", "corner"])
    >>> [axes.get_title() for axes in figure.axes]
    ['', 'middle', 'corner']
    """
    images, maps = _require_pairs(images, maps, value_range)
    B, P = maps.shape[:2]
    points = [] if points is None else _require_points(points)
    if len(points) not in (0, P):
        raise ValueError(f"`points` must be as many as the maps of an image, {P}. Received: {len(points)} points")
    labels = [""] * P if labels is None else require_labels(labels, P, "labels")
    style, labels, [title] = drawable(labels, [title or ""])
    side = min(LARGEST, WIDTH / (P + 1))
    height = B * side * images.shape[1] / images.shape[2] + 0.3 * any(labels) + 0.3 * bool(title)
    figure = new_figure(wide_enough(side * (P + 1), title), height)
    for number, (row, image) in enumerate(zip(figure.subplots(B, P + 1, squeeze=False), images)):
        row[0].imshow(image)
        _mark(row[0], points, PALETTE, image)
        for p, (axes, values) in enumerate(zip(row[1:], maps[number])):
            axes.imshow(image.mean(axis=-1), cmap="gray", vmin=0, vmax=1)
            extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
            axes.imshow(values, cmap=HEAT, alpha=0.65, vmin=0, extent=extent, interpolation=interpolation)
            _mark(axes, points[p : p + 1], PALETTE[p % len(PALETTE) :], image)
            axes.set_title(labels[p] if number == 0 else "", fontsize=FONT_SIZE, **style)
        for axes in row:
            axes.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=FONT_SIZE, **style)
    return figure


def _mark(axes, points, colors, image):
    for number, (row, column) in enumerate(points):
        x, y = column * image.shape[1] - 0.5, row * image.shape[0] - 0.5
        color = colors[number % len(colors)]
        axes.plot(x, y, "o", color=color, markersize=6, markeredgecolor="white", scalex=False, scaley=False)


def _require_points(points):
    points = np.asarray(points, "float64")
    if points.ndim != 2 or points.shape[1] != 2 or not ((points >= 0) & (points < 1)).all():
        raise ValueError(f"`points` must be pairs (row, column) from 0 up to 1. Received: points={points.tolist()}")
    return points


def _require_grid(grid, count, name):
    found = (math.isqrt(count),) * 2 if grid is None else tuple(grid)
    if len(found) != 2 or math.prod(found) != count:
        raise ValueError(
            f"`{name}` must be (rows, columns) with {count} positions; without it, the grid must be a square. "
            f"Received: {name}={grid}"
        )
    return found


def _require_pairs(images, maps, value_range):
    """Images [B, Y, X, 3] and maps [B, P, y, x]."""
    images, maps = colored(images, value_range), np.asarray(maps, "float32")
    if images.ndim == 3 and maps.ndim in (2, 3):
        images, maps = images[None], maps.reshape(1, -1, *maps.shape[-2:])
    if images.ndim != 4 or maps.ndim != 4 or len(images) != len(maps) or 0 in maps.shape:
        raise ValueError(
            "`maps` must be [y, x] or [P, y, x] for an image [Y, X, C], and [B, P, y, x] for images [B, Y, X, C]. "
            f"Received: images.shape={images.shape}, maps.shape={maps.shape}"
        )
    return images, maps
