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
    """Adds the image to the canvas, in place, with this corner."""
    part = cut(canvas, len(image), top, left)
    part[...] = np.minimum(part + image, 1)
