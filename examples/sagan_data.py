"""Images for class-conditional GANs, 32 x 32 pixels: clothes, or twins.

clothes: Fashion-MNIST in a black border
twins:   the same digit of MNIST twice, left and right, each at a height of its own: two parts that must agree
"""

import dataclasses
from collections.abc import Callable

import digits_data
import fashion_data
import numpy as np

SIZE = 32
DIGIT = 14  # side of a twin
HALF = SIZE // 2


@dataclasses.dataclass(frozen=True)
class Task:
    """
    Attributes:
        load: Function of the folder of datasets; returns (train images, labels), (test images, labels) of uint8.
        draw: Function of uint8 [B, ...] and a `numpy.random.Generator`; returns float32 [B, SIZE, SIZE, 3] from -1 to
            1.
        classes: Names of the classes.
        measures: {name: function of images [B, SIZE, SIZE, 3], which returns a number for each}.
    """

    load: Callable
    draw: Callable
    classes: tuple
    measures: dict


def framed(images, rng=None):
    """uint8 [B, 28, 28] in a black border of 2 pixels; the same for each `rng`."""
    return colored(np.pad(images, ((0, 0), (2, 2), (2, 2))) / np.float32(255))


def twins(digits, rng):
    """uint8 [B, 28, 28, 1]: each digit twice, at half its size, at random heights in the left and the right half."""
    small = digits[..., 0].reshape(-1, DIGIT, 2, DIGIT, 2).mean(axis=(2, 4), dtype="float32") / 255
    images = np.zeros((len(digits), SIZE, SIZE), "float32")
    tops = rng.integers(0, SIZE - DIGIT + 1, (len(digits), 2))
    for image, digit, heights in zip(images, small, tops):
        for top, left in zip(heights, (1, 1 + HALF)):
            image[top : top + DIGIT, left : left + DIGIT] = digit
    return colored(images)


def colored(images):
    """[B, Y, X] from 0 to 1 -> float32 [B, Y, X, 3] from -1 to 1."""
    return np.repeat(2 * images[..., None] - np.float32(1), 3, axis=-1)


def halves_agree(images):
    r"""Similarity of the two halves of each image, whatever their heights.

    $$ \max_s \frac{\sum_{yx} l_{yx} r_{(y+s) \bmod Y, x}}{\lVert l \rVert \lVert r \rVert} $$

    over all vertical shifts s, with l and r the halves less their means: 1 for twins.
    """
    bright = np.asarray(images, "float32").mean(axis=-1)
    halves = [half - half.mean(axis=(1, 2), keepdims=True) for half in np.split(bright, 2, axis=-1)]
    left, right = (np.fft.rfft(half, axis=1) for half in halves)
    products = np.fft.irfft(left.conj() * right, n=SIZE, axis=1).sum(axis=-1)
    norms = np.prod([np.linalg.norm(half, axis=(1, 2)) for half in halves], axis=0)
    return products.max(axis=-1) / np.maximum(norms, 1e-6)


TASKS = {
    "clothes": Task(fashion_data.load, framed, fashion_data.KINDS, {}),
    "twins": Task(digits_data.load, twins, tuple("0123456789"), {"agreement": halves_agree}),
}
