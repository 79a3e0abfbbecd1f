"""Images for the Image Transformer: digits of MNIST, the same digit twice, or colored emoji."""

import dataclasses
from collections.abc import Callable

import digits_data
import emoji_data
import numpy as np


@dataclasses.dataclass(frozen=True)
class Task:
    """
    Attributes:
        load: Function of the folder of datasets; returns (train images, labels), (test images, labels), uint8
            [N, Y, X, C] and int32 [N].
        classes: Names of the classes.
    """

    load: Callable
    classes: tuple


def twins(folder=None):
    """Digits of 14 x 14 pixels, each twice, one above the other: a pixel is 196 positions after its twin.

    Returns:
        As `digits_data.load`; images are uint8 [N, 28, 14, 1].
    """
    parts = digits_data.load(folder)
    return [(np.tile(digits_data.reduced(x, 2), (1, 2, 1, 1)), y) for x, y in parts]


TASKS = {
    "digits": Task(digits_data.load, tuple("0123456789")),
    "twins": Task(twins, tuple("0123456789")),
    "emoji": Task(emoji_data.load, tuple(emoji_data.GROUPS.values())),
}
