"""Images for the Image Transformer: digits of MNIST, or colored emoji."""

import dataclasses
from collections.abc import Callable

import digits_data
import emoji_data


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


TASKS = {
    "digits": Task(digits_data.load, tuple("0123456789")),
    "emoji": Task(emoji_data.load, tuple(emoji_data.GROUPS.values())),
}
