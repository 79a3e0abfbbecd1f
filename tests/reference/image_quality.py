"""PSNR, SSIM and sharpness difference of one image [Y, X, C] with values in [0, 1], in loops."""

import math

import numpy as np


def mean_squared_error(a, b):
    return sum((float(a[i]) - float(b[i])) ** 2 for i in np.ndindex(a.shape)) / a.size


def psnr(a, b):
    return 10 * math.log10(1 / mean_squared_error(a, b))


def published_psnr(a, b):
    return 10 * math.log10(255**2 / max(128**2 * mean_squared_error(a, b), 1e-4))


def gradient_difference(a, b):
    """The sum over the pixels with four neighbors."""
    total = 0.0
    for y in range(1, a.shape[0] - 1):
        for x in range(1, a.shape[1] - 1):
            for c in range(a.shape[2]):
                for dy, dx in ((0, 1), (1, 0)):
                    steps = [abs(float(v[y, x, c]) - float(v[y - dy, x - dx, c])) for v in (a, b)]
                    total += abs(steps[0] - steps[1])
    return total


def sharpness(a, b):
    return 10 * math.log10((a.shape[0] - 2) * (a.shape[1] - 2) * a.shape[2] / gradient_difference(a, b))


def published_sharpness(a, b):
    return 10 * math.log10(255**2 / max(128**2 * gradient_difference(a, b) / a.size, 1e-4))


def window():
    """Gaussian window [11, 11] with sigma 1.5 and sum 1."""
    values = np.array([[math.exp(-(y * y + x * x) / (2 * 1.5**2)) for x in range(-5, 6)] for y in range(-5, 6)])
    return values / values.sum()


def similarity(a, b, top, left, peak):
    """SSIM of one window of one channel with its corner at (top, left); zeros beyond the image."""
    w, values = window(), []
    for i in range(11):
        for j in range(11):
            y, x = top + i, left + j
            inside = 0 <= y < a.shape[0] and 0 <= x < a.shape[1]
            values.append((w[i, j], *((a[y, x], b[y, x]) if inside else (0.0, 0.0))))
    mean_a = sum(p * u for p, u, _ in values)
    mean_b = sum(p * v for p, _, v in values)
    var_a = sum(p * (u - mean_a) ** 2 for p, u, _ in values)
    var_b = sum(p * (v - mean_b) ** 2 for p, _, v in values)
    cov = sum(p * (u - mean_a) * (v - mean_b) for p, u, v in values)
    c_1, c_2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return ((2 * mean_a * mean_b + c_1) * (2 * cov + c_2)) / ((mean_a**2 + mean_b**2 + c_1) * (var_a + var_b + c_2))


def ssim(a, b):
    positions = [(y, x, c) for y in range(a.shape[0] - 10) for x in range(a.shape[1] - 10) for c in range(a.shape[2])]
    return sum(similarity(a[..., c], b[..., c], y, x, 1.0) for y, x, c in positions) / len(positions)


def published_ssim(a, b):
    """SSIM of the luminance from 0 to 255, over all windows that overlap the image."""
    if a.shape[2] == 3:
        a, b = (255 * (0.299 * v[..., 0] + 0.587 * v[..., 1] + 0.114 * v[..., 2]) for v in (a, b))
    else:
        a, b = 255 * a[..., 0], 255 * b[..., 0]
    positions = [(y, x) for y in range(-10, a.shape[0]) for x in range(-10, a.shape[1])]
    return sum(similarity(a, b, y, x, 255.0) for y, x in positions) / len(positions)
