"""Translated and cluttered MNIST, as in "Recurrent Models of Visual Attention".

Generated for each batch from the digits of MNIST.
"""

import numpy as np

PIECE = 8  # side of a piece of clutter
# Side of the canvas, pieces of clutter.
TASKS = {"centred": (28, 0), "translated": (60, 0), "cluttered": (60, 4), "cluttered-100": (100, 8)}


def canvases(task, digits, rng, sources=None):
    """Digits on the canvases of a task: float32 [B, side, side, 1] between 0 and 1.

    The clutter consists of random crops of other digits at random positions; the digit is added to it, and the sum is
    clipped at 1.

    Args:
        task: A name of `TASKS`.
        digits: uint8 [B, 28, 28, 1].
        rng: `numpy.random.Generator`.
        sources: uint8 [N, 28, 28, 1], the digits that the clutter is cropped from; `None`: `digits`.
    """
    side, pieces = TASKS[task]
    digits, sources = digits[..., 0], (digits if sources is None else sources)[..., 0]
    # Of each piece: the digit, the corner in it, the corner on the canvas; then the corner of the image's own digit.
    bounds = [len(sources), *corner(28, PIECE), *corner(side, PIECE)] * pieces + corner(side, 28)
    drawn = rng.integers(0, np.tile(bounds, (len(digits), 1))).T
    canvas = np.zeros((len(digits), side, side))
    for which, top, left, *place in drawn[:-2].reshape(pieces, 5, len(digits)):
        canvas[window(*place, PIECE)] += sources[which[:, None, None], *window(top, left, PIECE)[1:]] / 255
    canvas[window(*drawn[-2:], 28)] += digits / 255
    return np.minimum(canvas, 1)[..., None].astype("float32")


def corner(side, part):
    """The numbers of rows and of columns where the corner of a part of this side can be."""
    return [side - part + 1] * 2


def window(top, left, side):
    """Indices [B, side, side] of images, rows and columns: in each image a square, with its corner [B]."""
    pixels = np.arange(side)
    rows, columns = top[:, None, None] + pixels[:, None], left[:, None, None] + pixels
    return np.arange(len(top))[:, None, None], rows, columns
