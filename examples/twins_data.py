"""Twins: images with the same digit of MNIST twice, left and right, and how much the two halves of images agree."""

import numpy as np
from digits_data import pooled

DIGIT = 14  # side of a digit
PART = 16  # columns of the part of an image with one digit


def draw(digits, rng, rows=32, columns=32):
    """Each digit twice, at half its size, at random heights in the first and in the last `PART` columns.

    Args:
        digits: uint8 [B, 28, 28, 1].
        rng: `numpy.random.Generator`.
        rows, columns: Int, of the images.

    Returns:
        float32 [B, rows, columns] from 0 to 1.
    """
    small = pooled(digits[..., 0], 2).astype("float32") / 255
    images = np.zeros((len(digits), rows, columns), "float32")
    tops = rng.integers(0, rows - DIGIT + 1, (len(digits), 2))
    for image, digit, heights in zip(images, small, tops):
        for top, left in zip(heights, (1, columns - PART + 1)):
            image[top : top + DIGIT, left : left + DIGIT] = digit
    return images


def parts(images):
    """The parts of images [B, Y, X, ...] with the left and with the right digit: two of [B, Y, PART, ...]."""
    return [images[:, :, :PART], images[:, :, -PART:]]


def strangers(images):
    """Images with the first `PART` columns of each image, and the last ones of the next."""
    return np.concatenate([images[:, :, :-PART], np.roll(images, -1, axis=0)[:, :, -PART:]], axis=2)


def agreement(images):
    r"""Similarity of the two digits of each image, whatever their heights.

    $$ \max_s \frac{\sum_{yx} l_{yx} r_{(y+s) \bmod Y, x}}{\lVert l \rVert \lVert r \rVert} $$

    over all vertical shifts s, with l and r the first and the last `PART` columns less their means: 1 for twins.

    Args:
        images: [B, Y, X].

    Returns:
        [B].
    """
    images = np.asarray(images, "float32")
    centered = [part - part.mean(axis=(1, 2), keepdims=True) for part in parts(images)]
    left, right = (np.fft.rfft(part, axis=1) for part in centered)
    products = np.fft.irfft(left.conj() * right, n=images.shape[1], axis=1).sum(axis=-1)
    norms = np.prod([np.linalg.norm(part, axis=(1, 2)) for part in centered], axis=0)
    return products.max(axis=-1) / np.maximum(norms, 1e-6)
