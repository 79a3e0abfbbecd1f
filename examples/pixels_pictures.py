"""Figures of the Image Transformer: samples, completions, and enlarged images."""

import numpy as np
import tensorflow as tf

from keras_attention import decoding, visualize


def painter(model, size, seed, temperature):
    """A function (labels, known=None, mask=None, source=None) -> images [B, Y, X, C]; the loop is one graph."""

    # AutoGraph has nothing to convert here, and would take longer than the trace.
    @tf.function(reduce_retracing=True, autograph=False)
    def paint(label, known, known_mask, source):
        given = {"label": label, "known": known, "known_mask": known_mask, "source": source}
        return decoding.sample_image(model, size, temperature=temperature, seed=seed, **given)

    def painted(labels, known=None, mask=None, source=None):
        images = [None if x is None else tf.constant(x, "int32") for x in (labels, known, source)]
        return paint(images[0], images[1], None if mask is None else tf.constant(mask), images[2]).numpy()

    return painted


def samples(paint, classes, rows):
    """Samples [rows, classes, Y, X, C]: one column for each class."""
    images = paint(np.tile(np.arange(classes), rows))
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


def enlarged(paint, images, labels, source, tries):
    """Samples each image `tries` times, given its reduced one.

    Returns:
        [2 + tries, count, Y, X, C]: the reduced images, their pixels as squares; the samples; and the images.
    """
    painted = paint(np.tile(labels, tries), source=np.tile(source, (tries, 1, 1, 1)))
    squares = source.repeat(images.shape[1] // source.shape[1], axis=1).repeat(
        images.shape[2] // source.shape[2], axis=2
    )
    return np.concatenate([squares[None], painted.reshape(tries, *images.shape), images[None]])


def one_of_each(images, labels):
    """The first image of each class, and their labels."""
    labels, rows = np.unique(labels, return_index=True)
    return images[rows], labels


def plot_pictures(parts, title):
    """Plots grids of images beside each other.

    Args:
        parts: {text above: (images [rows, columns, Y, X, C], names of the columns)}.
        title: String.
    """
    from matplotlib.figure import Figure

    grids = [visualize.tile_images(images, value_range=(0, 255)) for images, _ in parts.values()]
    tallest = max(len(tiles) / tiles.shape[1] for tiles in grids)
    figure = Figure(figsize=(5.5 * len(parts), 1.2 + 5.5 * tallest), layout="constrained")
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    for axes, tiles, (label, (images, names)) in zip(panels, grids, parts.items()):
        axes.imshow(tiles)
        axes.set_anchor("N")
        axes.set_title(label, fontsize=10)
        width = tiles.shape[1] / images.shape[1]
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names)) > 1 else {}
        axes.set_xticks(width * (np.arange(images.shape[1]) + 0.5), names, fontsize=9, **turned)
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.suptitle(title, fontsize=11)
    return figure
