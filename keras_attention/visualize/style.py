"""What all pictures of attention share: colors, sizes, and the import of matplotlib."""

import importlib

import numpy as np

from keras_attention.extras import install

FONT = "DejaVu Sans"  # comes with matplotlib
FONT_SIZE = 11
LETTER = 0.09  # inches: mean width of a letter of `FONT_SIZE` points
WIDTH = 7.0  # inches: pictures that fill a page are 700 pixels wide at 100 dpi

SEQUENTIAL = "Blues"  # color map of scores on white
HEAT = "inferno"  # color map of scores over a gray image
# Lines and points, in this order; apart also for color-blind readers and on gray images.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
HIGHLIGHT = "#ffd700"
BORDER = 0.25  # gray between images


def matplotlib(module):
    """The module `matplotlib.<module>`, or an error that says how to install it."""
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise ImportError(f"Pictures are drawn by matplotlib: {install('visualize')}") from error


def new_figure(width, height):
    """An empty `matplotlib.figure.Figure` of this size in inches; pyplot knows nothing of it."""
    return matplotlib("figure").Figure(figsize=(width, height), layout="constrained")


def wide_enough(width, title):
    """A width in inches that a title fits in, if it fits in the widest figure."""
    return max(width, min(WIDTH, LETTER * len(title) + 0.2))


def colored(images, value_range):
    """Images [..., Y, X, C] of one or three channels as RGB from 0 to 1.

    A `value_range` of `None` is 0 to 255 for integers and 0 to 1 for floats.
    """
    images = np.asarray(images)
    if images.ndim < 3 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise ValueError(
            f"Images must be [..., Y, X, C] with 1 or 3 channels, and not empty. Received: shape {images.shape}"
        )
    if value_range is None:
        value_range = (0, 255) if images.dtype.kind in "iu" else (0, 1)
    low, high = value_range
    if not low < high:
        raise ValueError(f"`value_range` must be (low, high), low < high. Received: value_range={value_range}")
    shades = np.clip((images.astype("float32") - low) / (high - low), 0, 1)
    return np.broadcast_to(shades, (*images.shape[:-1], 3))
