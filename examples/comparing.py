"""Networks of several kinds, each trained with several seeds: their training, and the confidence of what they reach."""

import logging
import math

import numpy as np
from runs import OtherRunError, folder_of, heading

from keras_attention.visualize.style import PALETTE


def trained(options, networks, build, learn):
    """Trains a network of each kind with each seed, resumes it, or loads a finished one.

    Args:
        options: Parsed arguments: `output`, `seeds`, `steps`, `batch`.
        networks: Names of the kinds.
        build: `build(options, name, seed)` returns a model with initial weights.
        learn: `learn(model, name, seed, folder)` trains the model and returns the updates done by earlier runs.

    Yields:
        `(name, seed, model)`.

    Raises:
        OtherRunError: If a network has been trained for more updates.
    """
    # TensorFlow warns that a graph is traced again, for each network.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for seed in range(options.seeds):
        for name in networks:
            model = build(options, name, seed)
            weights = sum(math.prod(weight.shape) for weight in model.trainable_variables)  # without a moving average
            heading(f"{name}, seed {seed}: {weights:,} trained weights, {options.steps} updates of {options.batch}")
            before = learn(model, name, seed, folder_of(options, name, seed))
            if before > options.steps:
                raise OtherRunError(f"--steps must be at least the {before} updates done, or see --fresh")
            if before:
                print(f"    resumed after update {before} of an earlier run")
            yield name, seed, model


def interval(values):
    """Half of the 95 % confidence interval of the mean, by Student's t; NaN for one value."""
    from scipy import stats

    number = len(values)
    if number < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, number - 1) * np.std(values, ddof=1) / np.sqrt(number))


def mean_text(values, digits=1, sign=""):
    """The mean of rates and its interval, in per cent: "83.7 % ± 0.1"."""
    return number_text(100 * np.asarray(values), digits, sign, " %")


def number_text(values, digits, sign="", unit=""):
    """The mean of numbers and its interval: "19.92 ± 0.15"; the mean alone for one value."""
    half = interval(values)
    return f"{np.mean(values):{sign}.{digits}f}{unit}" + ("" if np.isnan(half) else f" ± {half:.{digits}f}")


def print_rates(rates, sizes, baseline, digits=1):
    """Prints rates from 0 to 1 in per cent, see `print_means`."""
    print_means(rates, sizes, baseline, lambda values, sign="": mean_text(values, digits, sign))


def print_means(found, sizes, baseline, text):
    """Prints the mean of each kind and the mean difference from the baseline, seed by seed, each with its interval.

    Args:
        found: {kind: the number of the network of each seed}.
        sizes: {kind: number of parameters}.
        baseline: A kind; differences are left out if it is not among `found`.
        text: Function of numbers and a sign ("" or "+") that returns their mean and interval as text.
    """
    print(
        "    95 % confidence intervals of the mean over seeds, by Student's t; differences between networks of a seed"
    )
    width = max(map(len, found)) + 2
    last = f"difference from {baseline}"
    column = max(34, len(last) + 2)
    print(f"    {'':{width}}{'parameters':>10}{'mean':>18}{last:>{column}}")
    for name, values in found.items():
        apart = np.subtract(values, found[baseline]) if baseline in found and name != baseline else None
        difference = "" if apart is None else text(apart, "+")
        print(f"    {name:{width}}{sizes[name]:>10,}{text(values):>18}{difference:>{column}}")


def plot_rates(rates, title, label, lines=None):
    """Plots rates from 0 to 1 in per cent, see `plot_means`."""
    percent = {name: 100 * np.asarray(values) for name, values in rates.items()}
    return plot_means(percent, title, f"{label}, %", {text: 100 * rate for text, rate in (lines or {}).items()})


def plot_means(found, title, label, lines=None):
    """Plots a dot for each network and, of several seeds, the mean of each kind with its 95 % confidence interval.

    Args:
        found: {kind: the number of the network of each seed}.
        title: String.
        label: String, what the numbers are.
        lines: {text: a number to compare with, plotted as a line}, such as that of random guessing; `None`: no lines.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.4 * max(4, len(found)), 4), layout="constrained")
    axes = figure.subplots()
    several = max(map(len, found.values())) > 1
    for x, values in enumerate(found.values()):
        axes.plot([x - 0.1 * several] * len(values), values, "o", color=PALETTE[0], alpha=0.6)
        if several:
            style = {"color": PALETTE[1], "marker": "s", "capsize": 4, "linestyle": "none"}
            axes.errorbar(x + 0.1, np.mean(values), interval(values), **style)
    for (text, number), style in zip((lines or {}).items(), (":", "--")):
        axes.axhline(number, color="grey", linestyle=style, label=text)
    if lines:
        axes.legend(frameon=False)
    axes.set_xticks(range(len(found)), [name.replace(", ", ",\n") for name in found])
    axes.set_xlim(-0.5, len(found) - 0.5)
    axes.set_ylabel(f"{label}\n(squares: mean over seeds, 95 % interval)" if several else label)
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
