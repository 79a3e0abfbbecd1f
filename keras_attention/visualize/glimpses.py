"""Paths of glimpses over images."""

import io
import math
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.types import Figure, PathLike
from keras_attention.visualize.labels import drawable, require_labels
from keras_attention.visualize.style import FONT_SIZE, HIGHLIGHT, PALETTE, WIDTH, colored, matplotlib, new_figure

ACROSS = 4  # images beside each other
START, PATH = PALETTE[1], PALETTE[2]


def plot_glimpses(
    images: ArrayLike,
    locations: ArrayLike,
    widths: ArrayLike,
    *,
    value_range: Sequence[float] | None = None,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Plots the path of the glimpses over each image: numbered, with the start and the last one marked.

    The outline of each glimpse is that of its narrowest patch; the last glimpse has the outlines of all its patches,
    cut off at a sixth of the image beyond it. Locations are those of `ops.glimpses`: (row, column), each from -1 to 1,
    rounded to whole pixels.

    Args:
        images: Array [Y, X, C] or [B, Y, X, C] of 1 or 3 channels.
        locations: Array [T, 2] or [B, T, 2]; fewer glimpses, the first t: `locations[:, :t]`.
        widths: Widths of the patches of a glimpse in pixels, in ascending order.
        value_range: Pair (black, white), such as (-1, 1); values beyond are clipped. `None`: (0, 255) for integers and
            (0, 1) for floats.
        labels: B strings above the images; `None`: no labels.
        title: String above the figure.

    Returns:
        `matplotlib.figure.Figure`, at most 7 inches wide, four images in a row.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If shapes or numbers do not fit each other.

    Example:

    >>> figure = plot_glimpses(np.zeros((28, 28, 1)), [[0.0, 0.0], [-0.5, 0.5]], widths=[8, 16])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1', '2']
    """
    images, locations, widths = _require_paths(images, locations, widths, value_range)
    B, Y, X, _ = images.shape
    labels = [""] * B if labels is None else require_labels(labels, B, "labels")
    style, labels, [title] = drawable(labels, [title or ""])
    across, down = min(ACROSS, B), math.ceil(B / ACROSS)
    side, beyond = WIDTH / max(across, 2), _margin(widths, max(Y, X))
    height = side * (Y + 2 * beyond) / (X + 2 * beyond) + 0.3 * any(labels)
    figure = new_figure(side * across, down * height + 0.35 + 0.3 * bool(title))
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    centres = np.floor((locations + 1) / 2 * [Y, X])
    for axes, image, path, label in zip(panels, images, centres, labels):
        axes.imshow(image)
        _draw_path(axes, path, widths)
        axes.set_xlim(-beyond, X + beyond)
        axes.set_ylim(Y + beyond, -beyond)
        axes.set_title(label, fontsize=FONT_SIZE, **style)
    for axes in panels:
        axes.set_axis_off()
    handles = [panels[0].plot([], [], "o", color=START, label="start")[0]]
    handles += [panels[0].plot([], [], "s", color="none", markeredgecolor=HIGHLIGHT, label="last glimpse")[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=FONT_SIZE)
    if title:
        figure.suptitle(title, fontsize=FONT_SIZE, **style)
    return figure


def animate_glimpses(
    path: PathLike | IO[bytes], images: ArrayLike, locations: ArrayLike, widths: ArrayLike, **options: Any
) -> None:
    """Writes an animation of `plot_glimpses` as a GIF, with one more glimpse in each frame.

    Args:
        path: Path of the file, or a file open for writing bytes.
        images: Array [Y, X, C] or [B, Y, X, C] of 1 or 3 channels.
        locations: Array [T, 2] or [B, T, 2].
        widths: Widths of the patches of a glimpse in pixels, in ascending order.
        **options: Further arguments of `plot_glimpses`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: As `plot_glimpses`.

    Example:

    >>> animate_glimpses(io.BytesIO(), np.zeros((9, 9, 1)), [[0.0, 0.0], [-0.5, 0.5]], widths=[3])
    """
    matplotlib("figure")
    from PIL import Image  # comes with matplotlib

    frames = []
    for count in range(1, np.shape(locations)[-2] + 1):
        figure = plot_glimpses(images, np.asarray(locations)[..., :count, :], widths, **options)
        figure.savefig(content := io.BytesIO(), dpi=80, format="png")
        frames.append(Image.open(content).convert("P", palette=Image.Palette.ADAPTIVE))
    pause = [700] * (len(frames) - 1) + [2000]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=pause, loop=0)


def _margin(widths, side):
    """Pixels around an image with outlines: those of the narrowest patch, of others up to a sixth of the image."""
    half = [width // 2 + 1 for width in widths]
    return max(half[0], min(half[-1], side // 6))


def _draw_path(axes, path, widths):
    """The outlines, the line between the centres, and the numbers, at one corner of each outline."""
    rectangle, stroke = matplotlib("patches").Rectangle, matplotlib("patheffects").withStroke
    axes.plot(path[:, 1] - 0.5, path[:, 0] - 0.5, "-", color=PATH, linewidth=1.2)
    axes.plot(path[:1, 1] - 0.5, path[:1, 0] - 0.5, "o", color=START, markersize=6, markeredgecolor="white")
    for number, (row, column) in enumerate(path, 1):
        last = number == len(path)
        color = HIGHLIGHT if last else START if number == 1 else PATH
        for width in widths if last else widths[:1]:
            corner = (column - width // 2 - 0.5, row - width // 2 - 0.5)
            axes.add_patch(rectangle(corner, width, width, fill=False, color=color, linewidth=1.2))
        x, y = column - widths[0] // 2 - 0.5, row - widths[0] // 2 - 0.5
        text = axes.text(x, y, str(number), color=color, fontsize=FONT_SIZE - 2, weight="bold", ha="right", va="bottom")
        text.set_path_effects([stroke(linewidth=2, foreground="black")])


def _require_paths(images, locations, widths, value_range):
    """Images [B, Y, X, 3], locations [B, T, 2] and a list of widths."""
    images, locations, widths = colored(images, value_range), np.asarray(locations, "float32"), list(widths)
    if images.ndim == 3 and locations.ndim == 2:
        images, locations = images[None], locations[None]
    if images.ndim != 4 or locations.ndim != 3 or locations.shape != (len(images), locations.shape[1] or 1, 2):
        raise ValueError(
            "`locations` must be [T, 2] for an image [Y, X, C] and [B, T, 2] for images [B, Y, X, C], T at least 1. "
            f"Received: images.shape={images.shape}, locations.shape={locations.shape}"
        )
    if not widths or widths != sorted(widths) or widths[0] < 1:
        raise ValueError(f"`widths` must be positive, in ascending order. Received: widths={widths}")
    return images, locations, widths
