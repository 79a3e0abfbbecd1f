"""Glimpses in NumPy loops, from "Recurrent Models of Visual Attention": pad, crop, average over equal areas."""

import numpy as np


def patch(image, row, column, width):
    """The pixels [width, width, C] from (row, column) on; zeros beyond the image [Y, X, C]."""
    Y, X, C = image.shape
    seen = np.zeros((width, width, C))
    for y in range(width):
        for x in range(width):
            if 0 <= row + y < Y and 0 <= column + x < X:
                seen[y, x] = image[row + y, column + x]
    return seen


def shrink(seen, size):
    """Area-weighted resize [w, w, C] -> [size, size, C]."""
    width = len(seen)
    part, common = width / size, np.zeros((size, width))
    for i, y in np.ndindex(size, width):
        common[i, y] = max(0.0, min((i + 1) * part, y + 1) - max(i * part, y))
    result = np.zeros((size, size, seen.shape[-1]))
    for i, j in np.ndindex(size, size):
        areas = common[i][:, None] * common[j]
        result[i, j] = (areas[..., None] / part**2 * seen).sum((0, 1))
    return result


def glimpse(image, location, size, scales=1, factor=2.0):
    """[size, size, K C] of an image [Y, X, C] at a (row, column) between -1 and 1."""
    row, column = (int(np.floor((at + 1) / 2 * n)) for at, n in zip(location, image.shape))
    parts = []
    for k in range(scales):
        width = round(size * factor**k)
        parts.append(shrink(patch(image, row - width // 2, column - width // 2, width), size))
    return np.concatenate(parts, axis=-1)


def soft_glimpse(image, location, size, scales=1, factor=2.0):
    """As `glimpse`, at a location between pixels, with bilinear interpolation."""
    centre = [(at + 1) / 2 * n for at, n in zip(location, image.shape)]
    parts = []
    for k in range(scales):
        width = round(size * factor**k)
        seen = np.zeros((width, width, image.shape[-1]))
        for i, j in np.ndindex(width, width):
            u, v = centre[0] - width // 2 + i, centre[1] - width // 2 + j
            near = [np.maximum(0.0, 1 - abs(at - np.arange(n))) for at, n in zip((u, v), image.shape)]
            seen[i, j] = (near[0][:, None, None] * near[1][:, None] * image).sum((0, 1))
        parts.append(shrink(seen, size))
    return np.concatenate(parts, axis=-1)
