"""Images for class-conditional GANs, 32 x 32 pixels: clothes, or twins.

clothes: Fashion-MNIST in a black border
twins:   the same digit of MNIST twice, left and right, each at a height of its own: two parts that must agree
"""

import dataclasses
from collections.abc import Callable

import digits_data
import fashion_data
import numpy as np
import twins_data

SIZE = 32


@dataclasses.dataclass(frozen=True)
class Task:
    """
    Attributes:
        load: Function of the folder of datasets; returns (train images, labels), (test images, labels) of uint8.
        draw: Function of uint8 [B, ...] and a `numpy.random.Generator`; returns float32 [B, SIZE, SIZE, 3] from -1 to
            1.
        classes: Names of the classes.
        measures: {name: function of images [B, SIZE, SIZE, 3], which returns a number for each}.
        parts: Function of images [B, SIZE, SIZE, 3]; returns a list of [B, Y, X, 1], in each of which the class can be
            seen.
    """

    load: Callable
    draw: Callable
    classes: tuple
    measures: dict
    parts: Callable


def framed(images, rng=None):
    """uint8 [B, 28, 28] in a black border of 2 pixels; the same for each `rng`."""
    return colored(np.pad(images, ((0, 0), (2, 2), (2, 2))) / np.float32(255))


def twins(digits, rng):
    """uint8 [B, 28, 28, 1]: each digit twice, see `twins_data`."""
    return colored(twins_data.draw(digits, rng, SIZE, SIZE))


def colored(images):
    """[B, Y, X] from 0 to 1 -> float32 [B, Y, X, 3] from -1 to 1."""
    return np.repeat(2 * images[..., None] - np.float32(1), 3, axis=-1)


def agreement(images):
    """How much the halves agree, see `twins_data`."""
    return twins_data.agreement(images.mean(axis=-1))


def whole(images):
    """The image in gray."""
    return [images.mean(axis=-1, keepdims=True)]


def halves(images):
    """The left and the right half in gray, each with one of the twins."""
    return twins_data.parts(images.mean(axis=-1, keepdims=True))


TASKS = {
    "clothes": Task(fashion_data.load, framed, fashion_data.KINDS, {}, whole),
    "twins": Task(digits_data.load, twins, tuple("0123456789"), {"agreement": agreement}, halves),
}
