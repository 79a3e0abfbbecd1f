"""Mean gates of channels by group of images, such as the class, and how much they depend on it."""

import math

import numpy as np

from keras_attention import visualize
from keras_attention.visualize.style import SEQUENTIAL, new_figure

ACROSS, WIDE, LINE = 3, 3.2, 0.17  # panels in a row, inches of a panel, inches of a line of it


def mean_gates(model, images, groups, number):
    """Means of channel gates over the images of each group: {path of a layer: [G, C]}.

    Args:
        model: `keras.Model`.
        images: [B, Y, X, C].
        groups: int [B], from 0 to G - 1; each occurs.
        number: Int G.
    """
    found = visualize.gates(model, images)
    return {
        path: np.stack([gates[groups == group].mean(axis=0) for group in range(number)])
        for path, gates in found.items()
        if gates.ndim == 2
    }


def spread(gates):
    """How much gates [G, C] depend on the group: the largest minus the smallest of each channel, mean over channels."""
    return float(np.ptp(gates, axis=0).mean())


def show_gates(axes, gates, path, note=""):
    """Draws gates [G, C] of a layer, from 0 to 1, below its name, such as "stage1, block1", and a note.

    Returns:
        The image, of which a color bar can be drawn.
    """
    axes.set_title(path.removesuffix("_attention").replace("_", ", ") + note, fontsize=10)
    axes.set_xticks([])
    return axes.imshow(gates, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", interpolation="nearest")


def plot_mean_gates(gates, groups):
    """Plots a panel for each layer with a row for each group and the channels in the order of their mean gate.

    Args:
        gates: {path of a layer: [G, C]}.
        groups: G names.

    Returns:
        `matplotlib.figure.Figure`.
    """
    down = math.ceil(len(gates) / ACROSS)
    figure = new_figure(ACROSS * WIDE, down * (LINE * len(groups) + 0.5))
    panels = figure.subplots(down, ACROSS, squeeze=False)
    for axes, (path, values) in zip(panels.flat, gates.items()):
        shown = show_gates(axes, values[:, np.argsort(values.mean(axis=0))], path, f": {values.shape[1]} channels")
        axes.set_yticks(range(len(groups)), groups if axes in panels[:, 0] else [""] * len(groups), fontsize=8)
    for axes in panels.flat[len(gates) :]:
        axes.remove()
    figure.colorbar(shown, ax=list(figure.axes), label="mean gate")
    return figure
