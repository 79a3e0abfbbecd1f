"""Digits on a larger canvas, alone or among pieces of other digits, as in "Recurrent Models of Visual Attention".

Made anew for each batch from the digits of MNIST: no two are alike.
"""

import numpy as np

PIECE = 8  # side of a piece of clutter
# Side of the canvas, pieces of clutter.
TASKS = {"centred": (28, 0), "translated": (60, 0), "cluttered": (60, 4), "cluttered-100": (100, 8)}


def canvases(task, digits, rng, sources=None):
    """Digits on the canvases of a task: float32 [B, side, side, 1] between 0 and 1.

    First the clutter is laid, each piece a part of another digit that was cut out at random; then the digit is added.
    Where they overlap, the sum is cut off at 1.

    Args:
        task: A name of `TASKS`.
        digits: uint8 [B, 28, 28, 1].
        rng: `numpy.random.Generator`.
        sources: uint8 [N, 28, 28, 1], the digits that pieces are cut out of; `None` means `digits`.
    """
    side, pieces = TASKS[task]
    digits, sources = digits[..., 0] / 255, (digits if sources is None else sources)[..., 0]
    canvas = np.zeros((len(digits), side, side))
    for one, digit in zip(canvas, digits):
        for _ in range(pieces):
            piece = cut(sources[rng.integers(len(sources))] / 255, PIECE, *rng.integers(0, 28 - PIECE + 1, 2))
            lay(one, piece, *rng.integers(0, side - PIECE + 1, 2))
        lay(one, digit, *rng.integers(0, side - 28 + 1, 2))
    return canvas[..., None].astype("float32")


def cut(image, side, top, left):
    return image[top : top + side, left : left + side]


def lay(canvas, image, top, left):
    """Adds the image to the canvas, in its place."""
    part = cut(canvas, len(image), top, left)
    part[...] = np.minimum(part + image, 1)
