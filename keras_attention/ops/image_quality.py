"""Image quality metrics: peak signal-to-noise ratio, structural similarity, sharpness difference.

Letters: B batch, Y rows, X columns, C channels.
"""

import math
from collections.abc import Sequence

from keras import ops

from keras_attention.ops.require import is_number, require_choice
from keras_attention.ops.shapes.sizes import below
from keras_attention.types import Tensor

VARIANTS = ("standard", "published")
WINDOW, SIGMA = 11, 1.5
LUMINANCE = (0.299, 0.587, 0.114)
# The published formulas scale errors of images in [0, 1] by 128^2, clip them below at 1e-4, and compare with 255^2.
PUBLISHED_PEAK, PUBLISHED_SCALE, PUBLISHED_LEAST = 255.0**2, 128.0**2, 1e-4


def peak_signal_to_noise_ratio(
    y_true: Tensor, y_pred: Tensor, value_range: Sequence[float] = (-1.0, 1.0), variant: str = "standard"
) -> Tensor:
    r"""Peak signal-to-noise ratio (PSNR) of each image, in decibels.

    $$ \mathrm{PSNR} = 10 \log_{10} \frac{1}{\mathrm{mean}_{yxc} (v_{yxc} - \hat v_{yxc})^2} $$

    with images scaled to [0, 1]. Equal images give infinity.

    `variant="published"` is the formula behind the published tables of cross-view synthesis, SelectionGAN's
    ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)) and earlier ones:

        10 log10(255^2 / max(128^2 error, 1e-4))

    which is 20 log10(255 / 128) = 5.9866 dB more, and at most 88.13 dB.

    Args:
        y_true, y_pred: [B, Y, X, C], any dtype; computed in float32.
        value_range: (min, max) of the values, such as (0, 255).
        variant: `"standard"` or `"published"`.

    Returns:
        Decibels, float32 [B].

    Raises:
        ValueError: If the shapes differ or an argument is out of its range.

    Example:

    >>> from keras import ops
    >>> from keras_attention.ops import peak_signal_to_noise_ratio
    >>> true, found = ops.zeros((1, 2, 3, 1)), ops.full((1, 2, 3, 1), 0.2)
    >>> print(f"{float(peak_signal_to_noise_ratio(true, found)[0]):.2f} dB")
    20.00 dB
    """
    y_true, y_pred = _to_unit(y_true, y_pred, value_range, variant, least=1)
    error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
    return _decibels(error, variant)


def sharpness_difference(
    y_true: Tensor, y_pred: Tensor, value_range: Sequence[float] = (-1.0, 1.0), variant: str = "standard"
) -> Tensor:
    r"""Sharpness difference: error of the image gradients of each image, in decibels; higher is better.

    $$ \mathrm{SD} = 10 \log_{10} \frac{1}{\mathrm{mean}_{yxc}
       \big(\big| |\nabla_x v| - |\nabla_x \hat v| \big| + \big| |\nabla_y v| - |\nabla_y \hat v| \big|\big)} $$

    over the positions that have four neighbors, with images scaled to [0, 1]; \(\nabla_x\) is the difference to the
    left neighbor, \(\nabla_y\) to the upper one. The errors are not squared, so that the result depends on the range
    to which the images are scaled: [0, 1], as in the published results.

    `variant="published"` is the formula behind the published tables of cross-view synthesis: the sum over these
    positions is divided by the number of all positions, the borders included, and

        10 log10(255^2 / max(128^2 difference, 1e-4))

    which is 5.9866 dB + 10 log10(Y X / ((Y - 2) (X - 2))) more, and at most 88.13 dB.

    Args:
        y_true, y_pred: [B, Y, X, C], any dtype, Y and X at least 3; computed in float32.
        value_range: (min, max) of the values, such as (0, 255).
        variant: `"standard"` or `"published"`.

    Returns:
        Decibels, float32 [B].

    Raises:
        ValueError: If the shapes differ, the images are too small or an argument is out of its range.

    Example:

    >>> from keras import ops
    >>> from keras_attention.ops import sharpness_difference
    >>> flat = ops.zeros((1, 3, 4, 1))
    >>> slope = ops.broadcast_to(ops.reshape(0.02 * ops.arange(4.0), (1, 1, 4, 1)), (1, 3, 4, 1))
    >>> print(f"{float(sharpness_difference(slope, flat)[0]):.2f} dB")
    20.00 dB
    """
    y_true, y_pred = _to_unit(y_true, y_pred, value_range, variant, least=3)
    differences = [ops.abs(a - b) for a, b in zip(_steps(y_true), _steps(y_pred))]
    difference = differences[0] + differences[1]
    if variant == "published":
        difference = ops.pad(difference, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return _decibels(ops.mean(difference, axis=(1, 2, 3)), variant)


def structural_similarity(
    y_true: Tensor, y_pred: Tensor, value_range: Sequence[float] = (-1.0, 1.0), variant: str = "standard"
) -> Tensor:
    r"""Structural similarity (SSIM) of each image: local means, contrasts and structures; 1 for equal images.

    $$ \mathrm{SSIM} = \mathrm{mean}_{yxc} \frac{(2 \mu \hat\mu + c_1)(2 \sigma_{v \hat v} + c_2)}
       {(\mu^2 + \hat\mu^2 + c_1)(\sigma^2 + \hat\sigma^2 + c_2)} $$

    "Image Quality Assessment" ([Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)), eq. 13: means, variances
    and the covariance under a Gaussian window of 11 by 11 pixels, sigma 1.5; c_1 = 0.01^2 and c_2 = 0.03^2 with images
    scaled to [0, 1]. Per channel, and only where the whole window lies in the image.

    `variant="published"` is the formula behind the published tables of cross-view synthesis: on the luminance
    (0.299 R + 0.587 G + 0.114 B), over all windows that overlap the image, zero-padded.

    Args:
        y_true, y_pred: [B, Y, X, C], any dtype; computed in float32. Y and X at least 11, unless `"published"`.
        value_range: (min, max) of the values, such as (0, 255).
        variant: `"standard"` or `"published"`; the latter for one or three channels.

    Returns:
        Similarities in [-1, 1], float32 [B].

    Raises:
        ValueError: If the shapes differ, the images are too small or an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> from keras_attention.ops import structural_similarity
    >>> image = np.random.default_rng(0).uniform(-1, 1, (1, 12, 13, 3))
    >>> print(f"{float(structural_similarity(image, image)[0]):.3f}")
    1.000
    """
    published = variant == "published"
    y_true, y_pred = _to_unit(y_true, y_pred, value_range, variant, least=1 if published else WINDOW)
    if published:
        y_true, y_pred = _luminance(y_true), _luminance(y_pred)
        y_true, y_pred = (ops.pad(v, [(0, 0), *[(WINDOW - 1, WINDOW - 1)] * 2, (0, 0)]) for v in (y_true, y_pred))
    products = [y_true, y_pred, y_true * y_true, y_pred * y_pred, y_true * y_pred]
    mean, mean_, square, square_, product = ops.split(_blur(ops.concatenate(products, axis=-1)), 5, axis=-1)
    c_1, c_2 = 0.01**2, 0.03**2
    means, squares = mean * mean_, mean * mean + mean_ * mean_
    similarity = (2 * means + c_1) * (2 * (product - means) + c_2)
    return ops.mean(similarity / ((squares + c_1) * (square + square_ - squares + c_2)), axis=(1, 2, 3))


def require_variant(variant):
    require_choice(variant, "variant", VARIANTS)


def require_value_range(value_range):
    """Returns `value_range` as two floats, the lower first; raises if it is anything else."""
    try:
        low, high = (float(value) if is_number(value) else math.nan for value in value_range)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"`value_range` must be (lowest, highest). Received: value_range={value_range!r}")
    return low, high


def _to_unit(y_true, y_pred, value_range, variant, least):
    """Both images in float32, scaled to [0, 1]."""
    require_variant(variant)
    low, high = require_value_range(value_range)
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    equal = len(shapes[0]) == len(shapes[1]) == 4 and all(a == b or None in (a, b) for a, b in zip(*shapes))
    if not equal or any(below(n, least) for shape in shapes for n in shape[1:3]):
        size = f", Y and X at least {least}" if least > 1 else ""
        raise ValueError(
            f"`y_true` and `y_pred` must have the same shape [B, Y, X, C]{size}. "
            f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
        )
    return [(ops.cast(v, "float32") - low) / (high - low) for v in (y_true, y_pred)]


def _decibels(error, variant):
    if variant == "standard":
        return -10.0 * ops.log10(error)
    return 10.0 * ops.log10(PUBLISHED_PEAK / ops.maximum(PUBLISHED_SCALE * error, PUBLISHED_LEAST))


def _steps(v):
    """Absolute differences to the left and upper neighbors, at positions that have four neighbors."""
    inside = v[:, 1:-1, 1:-1]
    return ops.abs(inside - v[:, 1:-1, :-2]), ops.abs(inside - v[:, :-2, 1:-1])


def _luminance(v):
    if v.shape[-1] not in (1, 3):
        raise ValueError(f"`variant='published'` needs one or three channels. Received: {v.shape[-1]}")
    if v.shape[-1] == 1:
        return v
    # Added up rather than multiplied as matrices, which some accelerators do with fewer digits.
    return sum(weight * v[..., c : c + 1] for c, weight in enumerate(LUMINANCE))


def _blur(v):
    """Means under the Gaussian window, wherever all of it lies in the image.

    Sums of shifted images, not a convolution: a variance is the small difference of two large means, and some
    accelerators convolve float32 with fewer digits.
    """
    weights = [math.exp(-(((i - WINDOW // 2) / SIGMA) ** 2) / 2) for i in range(WINDOW)]
    weights = [weight / sum(weights) for weight in weights]
    ends = [i - WINDOW + 1 or None for i in range(WINDOW)]
    v = sum(weight * v[:, i : ends[i]] for i, weight in enumerate(weights))
    return sum(weight * v[:, :, i : ends[i]] for i, weight in enumerate(weights))
