"""Figures of the Image Transformer: samples, completions, and bits per dimension by size of the memory."""

import numpy as np
import tensorflow as tf

from keras_attention import decoding, visualize
from keras_attention.visualize.style import PALETTE


def painter(model, size, seed, temperature):
    """A function (labels, known, known_mask) -> sampled images [B, Y, X, C]; the loop over pixels is one graph."""

    # AutoGraph has nothing to convert here, and would take longer than the trace.
    @tf.function(reduce_retracing=True, autograph=False)
    def paint(labels, known, mask):
        return decoding.sample_image(
            model, size, label=labels, known=known, known_mask=mask, temperature=temperature, seed=seed
        )

    return lambda labels, known, mask: paint(
        tf.constant(labels, "int32"), tf.constant(known, "int32"), tf.constant(mask)
    ).numpy()


def samples(paint, classes, rows, size, channels=1):
    """Samples [rows, classes, Y, X, C]: one column for each class."""
    labels = np.tile(np.arange(classes), rows)
    nothing = np.zeros((len(labels), *size, channels), "int32")
    images = paint(labels, nothing, np.zeros((len(labels), *size), bool))
    return images.reshape(rows, classes, *images.shape[1:])


def completions(paint, images, labels, tries):
    """Samples the lower half of each image `tries` times, given the upper half.

    Returns:
        [2 + tries, count, Y, X, C]: the given halves, the completions, and the images.
    """
    upper = np.zeros(images.shape[1:3], bool)
    upper[: len(upper) // 2] = True
    repeated = np.tile(images, (tries, 1, 1, 1))
    painted = paint(np.tile(labels, tries), repeated, np.tile(upper, (len(repeated), 1, 1)))
    given = np.where(upper[..., None], images, 128)  # the hidden half is gray
    return np.concatenate([given[None], painted.reshape(tries, *images.shape), images[None]])


def plot_pictures(drawn, completed, title):
    """Samples on the left, completions on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, images, label in (
        (left, drawn, "samples, one column for each class"),
        (right, completed, "given half; completions; original"),
    ):
        axes.imshow(visualize.tile_images(images, value_range=(0, 255)))
        axes.set_anchor("N")
        axes.set_title(label, fontsize=10)
        axes.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure


def plot_bits(results, title):
    """Bits per dimension of held-out digits against the size of the memory, with 95 % confidence intervals.

    Args:
        results: {memory: (mean, margin)}.
        title: String.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    sizes = sorted(results)
    means, margins = np.transpose([results[size] for size in sizes])
    axes.errorbar(sizes, means, margins, color=PALETTE[0], marker="o", capsize=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("positions in a block, and as many in the memory before it")
    axes.set_ylabel("bits/dim of held-out digits")
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
