"""Standard deviation over seeds, as a number and as a figure."""

import numpy as np

from keras_attention.visualize.style import PALETTE


def deviation(values):
    """The sample standard deviation; 0 for one value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def plot_spread(rates, title, label, random_guess=None):
    """Plots a dot for each network, and the mean of each kind with its standard deviation.

    Args:
        rates: {kind: a rate of each network, 0 to 1}.
        title: String.
        label: String, what the rates are, in per cent.
        random_guess: The accuracy of random guessing, plotted as a line, or `None`.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.4 * max(4, len(rates)), 4), layout="constrained")
    axes = figure.subplots()
    for x, values in enumerate(rates.values()):
        percent = 100 * np.array(values)
        axes.plot([x - 0.1] * len(percent), percent, "o", color=PALETTE[0], alpha=0.6)
        style = {"color": PALETTE[1], "marker": "s", "capsize": 4, "linestyle": "none"}
        axes.errorbar(x + 0.1, percent.mean(), 100 * deviation(values), **style)
    if random_guess is not None:
        axes.axhline(100 * random_guess, color="grey", linestyle=":", label="random guessing")
        axes.legend(frameon=False)
    axes.set_xticks(range(len(rates)), rates)
    axes.set_xlim(-0.5, len(rates) - 0.5)
    axes.set_ylabel(f"{label}, %\n(squares: mean, and standard deviation of the seeds)")
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
