"""Images with a digit of MNIST, 0 to 4, in each of three color channels, and a cue that names one of the channels.

    image:  [14, 46, 3]
    cue:    columns 0 to 7, the same texture in all channels: horizontal stripes (red), vertical stripes (green),
            checkerboard (blue)
    gap:    columns 8 to 31, black
    digits: columns 32 to 45, 12 x 12 pixels each, three different ones at random positions

The class is the digit in the channel of the cue. The last column of the cue and the first one of the digits span 26
pixels: no receptive field of 25 pixels contains parts of both.
"""

import numpy as np

CHANNELS = ("red", "green", "blue")
TEXTURES = ("horizontal stripes", "vertical stripes", "checkerboard")
CLASSES = 5  # of MNIST, the first ones
ROWS, COLUMNS = 14, 46
CUE, ZONE = 8, 32  # columns of the cue, first column of the digits
DIGIT = 12  # side of a digit
TEST = 1_000_000  # seed of the test images


def texture(cue, phase):
    """A texture [ROWS, CUE] of zeros and ones, half of it ones, shifted by `phase`, 0 or 1."""
    rows, columns = np.indices((ROWS, CUE))
    return (((rows, columns, rows + columns)[cue] + phase) % 2).astype("float32")


def compose(digits, cue, phase, corners):
    """One image, float32 [ROWS, COLUMNS, 3] between 0 and 1.

    Args:
        digits: float32 [3, DIGIT, DIGIT], of the channels.
        cue: 0, 1 or 2: the channel that it names.
        phase: 0 or 1: shifts the texture of the cue.
        corners: int [3, 2], row and column of the upper left corner of each digit in the columns from `ZONE` on.
    """
    image = np.zeros((ROWS, COLUMNS, len(CHANNELS)), "float32")
    image[:, :CUE] = texture(cue, phase)[..., None]
    for channel, (digit, (y, x)) in enumerate(zip(digits, corners)):
        image[y : y + DIGIT, ZONE + x : ZONE + x + DIGIT, channel] = digit
    return image


def draw(digits, labels, number, rng, cues=None):
    """Random images of these digits.

    Args:
        digits: float32 [N, DIGIT, DIGIT].
        labels: [N], the classes of the digits; those beyond `CLASSES` are not used.
        number: Int B.
        rng: `numpy.random.Generator`.
        cues: int [B]; `None`: random ones.

    Returns:
        images: float32 [B, ROWS, COLUMNS, 3].
        classes: int32 [B].
        cues: int [B].
        shown: int32 [B, 3], the classes of all three digits, different from each other.
    """
    shown = np.argsort(rng.random((number, CLASSES)), axis=1)[:, : len(CHANNELS)]
    by_class = [np.flatnonzero(labels == k) for k in range(CLASSES)]
    rows = np.array([[rng.choice(by_class[k]) for k in three] for three in shown])
    found = rng.integers(0, len(CHANNELS), number)
    cues = found if cues is None else np.asarray(cues)
    phases = rng.integers(0, 2, number)
    corners = rng.integers(0, ROWS - DIGIT + 1, (number, len(CHANNELS), 2))
    images = [compose(digits[three], *rest) for three, *rest in zip(rows, cues, phases, corners)]
    shown = shown.astype("int32")
    return np.stack(images), shown[np.arange(number), cues], cues, shown
