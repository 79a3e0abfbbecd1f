"""Drawing for the tour of layers: what `visualize` has no function for, in its style."""

import numpy as np

from keras_attention.visualize.style import FONT_SIZE, HIGHLIGHT, PALETTE, WIDTH, new_figure

SIGNED = "RdBu_r"  # color map of values of both signs


def assign(layer, values):
    """Sets weights by hand: {"query/kernel": value} sets the one whose path ends so. Returns the layer."""
    for name, value in values.items():
        [weight] = [w for w in layer.weights if f"/{w.path}".endswith(f"/{name}")]
        weight.assign(np.reshape(value, weight.shape))
    return layer


def lines(curves, x=None, xlabel="", ylabel="", style="-"):
    """A panel of curves {label: values}."""
    figure = new_figure(WIDTH, 3.2)
    axes = figure.subplots()
    for (label, values), color in zip(curves.items(), PALETTE):
        axes.plot(np.arange(len(values)) if x is None else x, values, style, color=color, label=label)
    axes.set_xlabel(xlabel, fontsize=FONT_SIZE)
    axes.set_ylabel(ylabel, fontsize=FONT_SIZE)
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=FONT_SIZE)
    return figure


def heat(panels, rows=None, xlabel="", ylabel="", height=3.2, cmap=SIGNED, **options):
    """Matrices {title: [T, D]} side by side on one color scale: around zero, or with another color map from zero."""
    figure = new_figure(WIDTH, height)
    top = max(np.abs(values).max() for values in panels.values())
    low = -top if cmap == SIGNED else 0
    for index, (axes, (title, values)) in enumerate(zip(_row(figure, panels), panels.items())):
        image = axes.imshow(values, cmap=cmap, vmin=low, vmax=top, aspect="auto", interpolation="nearest", **options)
        axes.set_title(title, fontsize=FONT_SIZE)
        axes.set_xlabel(xlabel, fontsize=FONT_SIZE)
        axes.set_ylabel(ylabel if index == 0 else "", fontsize=FONT_SIZE)
        if rows is not None:
            axes.set_yticks(range(len(values)), rows[-len(values) :], fontsize=FONT_SIZE)
    figure.colorbar(image, ax=figure.axes, shrink=0.8)
    return figure


def pictures(panels, height=2.6, marks=()):
    """Images {title: [Y, X, C]} side by side, from 0 to 1; points (row, column) marked on the first."""
    figure = new_figure(WIDTH, height)
    for axes, (title, image) in zip(_row(figure, panels), panels.items()):
        gray = np.shape(image)[-1] == 1
        axes.imshow(np.squeeze(np.clip(image, 0, 1), -1) if gray else np.clip(image, 0, 1), "gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=FONT_SIZE)
        axes.set_axis_off()
    for row, column in marks:
        figure.axes[0].plot(column, row, "o", color=HIGHLIGHT, markeredgecolor="black")
    return figure


def scattered(image, locations):
    """Locations {title: [count, 2] from -1 to 1} over copies of an image [Y, X, C], a panel each."""
    figure = pictures(dict.fromkeys(locations, image), height=3.4)
    for axes, points in zip(figure.axes, locations.values()):
        row, column = ((np.asarray(points) + 1) / 2 * image.shape[:2] - 0.5).T
        axes.plot(column, row, "o", color=HIGHLIGHT, markersize=4, markeredgecolor="black", markeredgewidth=0.5)
    return figure


def similarity(vectors):
    """Cosines of all pairs of rows [T, D]."""
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit @ unit.T


def scaled(values):
    """Values from 0 to 1, over all axes."""
    values = np.asarray(values, "float32")
    return (values - values.min()) / max(float(np.ptp(values)), 1e-6)


def _row(figure, panels):
    return figure.subplots(1, len(panels), squeeze=False)[0]
