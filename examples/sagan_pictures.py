"""Figures of SAGAN: attention maps of query points, and FID and KID during training."""

import itertools

import numpy as np

from keras_attention import visualize
from keras_attention.visualize.style import PALETTE

# Rows and columns of the query points, as parts of the height and the width: the middle and four around it.
POINTS = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))


def plot_attention(images, scores, title):
    """The paper's Figure 1: an image with query points, and beside it the most attended regions of each.

    Args:
        images: [count, Y, X, 3] from -1 to 1.
        scores: [count, T, S].
        title: String.
    """
    maps = visualize.point_maps(scores, POINTS)
    return visualize.overlay(images, maps, POINTS, value_range=(-1, 1), title=title)


def plot_progress(found, names, title):
    """A panel for each of `names`: a curve of each kind of network, the mean over its seeds between the extremes.

    Args:
        found: {kind: [{update: {name: value}} of each seed]}.
        names: Names of the values.
        title: String.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(3.5 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        looks = itertools.cycle(itertools.product("os^", PALETTE))
        for (kind, tables), (marker, colour) in zip(found.items(), looks):
            updates = sorted(set.intersection(*map(set, tables)))
            values = np.array([[table[update][name] for update in updates] for table in tables])
            axes.plot(updates, values.mean(axis=0), f"-{marker}", color=colour, label=kind, markersize=3)
            axes.fill_between(updates, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        axes.set_xlabel("updates of the generator")
        axes.set_title(name)
        if "FID" in name:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    figure.suptitle(title, fontsize=11)
    return figure
