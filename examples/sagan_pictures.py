"""Figures of SAGAN: attention maps of query points, and FID and KID during training."""

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
    """A curve of each of `names` for each kind of network.

    Args:
        found: {kind: {update: {name: value}}}.
        names: Names of the values, one panel each.
        title: String.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        for (kind, table), colour in zip(found.items(), PALETTE):
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
