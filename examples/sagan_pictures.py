"""Figures of SAGAN: samples, attention maps of query points, and FID and KID during training."""

import numpy as np

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4")
# Rows and columns of the query points, as parts of the height and the width: the middle and four around it.
POINTS = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))


def painted(images):
    """float [..., 3] from -1 to 1 -> from 0 to 1."""
    return np.clip((np.asarray(images) + 1) / 2, 0, 1)


def sheet(images):
    """[rows, columns, Y, X, C] -> one image [rows (Y + 2), columns (X + 2), C], with a border around each."""
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=0.25)
    rows, columns, Y, X, C = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * Y, columns * X, C)


def plot_samples(images, title):
    """Images [rows, classes, Y, X, 3] from -1 to 1, one column for each class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(images.shape[1] * 0.9, images.shape[0] * 0.9 + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet(painted(images)))
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
    return figure


def attention_maps(scores, size):
    """Attention scores of one image as maps over its pixels.

    Args:
        scores: [T, S], of T queries and S keys, both on square grids.
        size: Int, height and width of the image in pixels; a multiple of the sides of both grids.

    Returns:
        [number of `POINTS`, size, size]: the map of each query point; each score is spread over the pixels of its key,
        so that the sum stays.
    """
    queries, keys = (round(count**0.5) for count in scores.shape)
    if queries**2 != scores.shape[0] or keys**2 != scores.shape[1] or size % queries or size % keys:
        raise ValueError(f"The scores are not of squares that divide {size}. Received: scores.shape={scores.shape}")
    rows = [int(y * queries) * queries + int(x * queries) for y, x in POINTS]
    spread = size // keys
    return scores[rows].reshape(-1, keys, keys).repeat(spread, axis=1).repeat(spread, axis=2) / spread**2


def plot_attention(images, scores, title):
    """The paper's Figure 1: an image with query points, and beside it the most attended regions of each.

    Args:
        images: [count, Y, X, 3] from -1 to 1.
        scores: [count, T, S].
        title: String.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.3 * (len(POINTS) + 1), 1.35 * len(images) + 0.5), layout="constrained")
    grid = figure.subplots(len(images), len(POINTS) + 1, squeeze=False)
    for row, image, queries in zip(grid, painted(images), scores):
        size = len(image)
        row[0].imshow(image)
        for (y, x), colour in zip(POINTS, COLOURS):
            row[0].plot(int(x * size), int(y * size), "o", color=colour, markersize=5, markeredgecolor="white")
        for axes, where, (y, x), colour in zip(row[1:], attention_maps(queries, size), POINTS, COLOURS):
            axes.imshow(image.mean(-1), cmap="gray", vmin=0, vmax=1)
            axes.imshow(where, cmap="inferno", alpha=0.65, vmin=0)
            axes.plot(int(x * size), int(y * size), "o", color=colour, markersize=5, markeredgecolor="white")
        for axes in row:
            axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return figure


def plot_progress(found, names, title):
    """A curve of each of `names` for each kind of network.

    Args:
        found: {kind: {update: {name: value}}}.
        names: Names of the values, one panel each.
        title: String.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        for (kind, table), colour in zip(found.items(), ("#1f5fa8", "#c8553d", "#3c8d4f")):
            updates = sorted(table)
            values = [table[update][name] for update in updates]
            axes.plot(updates, values, "-o", color=colour, label=kind, markersize=3)
        axes.set_xlabel("updates of the generator")
        axes.set_ylabel(name)
        axes.set_yscale("log" if name == "FID" else "linear")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend()
    figure.suptitle(title, fontsize=11)
    return figure
