"""Curves of costs by length."""

import math

import numpy as np

from keras_attention.analyze.comparison import MEASURES, Comparison
from keras_attention.types import Figure
from keras_attention.visualize.style import WIDTH, new_figure

_TITLES = {
    "multiply_adds": "multiply-adds",
    "sequential_steps": "sequential steps",
    "longest_path": "longest path",
    "activation_bytes": "bytes of activations",
    "seconds": "seconds, measured",
}
_MARKERS = "osD^vP*X"


def plot_costs(comparison: Comparison) -> Figure:
    """Plots a comparison: one panel per cost, both axes logarithmic, one line per layer.

    Crosses mark where two layers do as many multiply-adds or take the same time. Times have a panel if some were
    measured. A layer in which positions never meet has no line in the panel of paths.

    Args:
        comparison: What `compare` returned.

    Returns:
        `matplotlib.figure.Figure`: `figure.savefig("costs.png")`. Nothing is shown and nothing stays open.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If `comparison` is not a `Comparison` with rows.

    Example:

    >>> import keras
    >>> from keras_attention import analyze
    >>> figure = analyze.plot_costs(analyze.compare({"dense": keras.layers.Dense(3)}, (2, 4), 3))
    >>> [axes.get_title() for axes in figure.axes][:2]
    ['multiply-adds', 'sequential steps']
    """
    if not isinstance(comparison, Comparison) or not comparison.rows:
        raise ValueError(f"`comparison` must be what `compare` returns, with rows. Received: {comparison!r}")
    measures = [m for m in MEASURES if m != "seconds" or any(row.seconds > 0 for row in comparison.rows)]
    figure, columns = new_figure(WIDTH, 5.6), math.ceil(len(measures) / 2)
    for place, measure in enumerate(measures):
        _draw(figure.add_subplot(2, columns, place + 1), comparison, measure)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False, fontsize=9)
    return figure


def _draw(axes, comparison, measure):
    for i, name in enumerate(comparison.names):
        lengths, values = comparison.curve(name, measure)
        # The first are the thickest: a curve below others stays visible.
        width = 1.1 + 0.5 * (len(comparison.names) - 1 - i)
        axes.plot(lengths, values, _MARKERS[i % len(_MARKERS)] + "-", markersize=2 + width, linewidth=width, label=name)
    if measure in ("multiply_adds", "seconds"):
        points = [(n, _at(comparison, names[0], measure, n)) for names, n in comparison.crossings(measure).items()]
        axes.plot(*(zip(*points, strict=True) if points else ((), ())), "kx", markersize=8, zorder=3)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_title(_TITLES[measure])
    axes.set_xlabel("n")
    axes.grid(color="0.9")


def _at(comparison, name, measure, length):
    """The value of a curve between its points, in logarithms."""
    lengths, values = comparison.curve(name, measure)
    return np.exp(np.interp(np.log(length), np.log(lengths), np.log(values)))
