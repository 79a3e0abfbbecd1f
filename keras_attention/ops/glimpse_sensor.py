"""Glimpses: patches of an image around given locations, sharp in the middle and coarser around it.

Locations are (row, column), each between -1 and 1: (-1, -1) is the upper left corner of the image, (0, 0) its middle
and (1, 1) its lower right corner. A coordinate l along n pixels is c = n (l + 1) / 2 pixels from the edge.
Coordinates beyond are clipped; a NaN gives a glimpse of NaN.

A patch of even width has as many pixels before c as after it; one of odd width has the pixel that begins at c in its
middle, and so lies half a pixel further. Scales are concentric if all their widths are even, or all odd.

Letters: B batch, Y rows, X columns, C channels, G side of a glimpse, K scales.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_attention.ops.require import require_int, require_number
from keras_attention.ops.shapes.sizes import below
from keras_attention.types import Tensor

# JAX has no 64-bit integers by default.
INDEX = "int32" if keras.backend.backend() == "jax" else "int64"


def glimpses(images: Tensor, locations: Tensor, size: int, scales: int = 1, factor: float = 2.0) -> Tensor:
    r"""Glimpses: patches around locations at several scales, all shrunk to the same size.

    $$ \rho(x, l) = [\mathrm{shrink}(x[l; w_1]), \dots, \mathrm{shrink}(x[l; w_K])], \quad w_k = G f^{k - 1} $$

    as in "Recurrent Models of Visual Attention", section 3.1 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    Written out:

        center:  c [B, 2] = floor((Y, X) (locations + 1) / 2)
        patches: rows c - w // 2 to c - w // 2 + w, and columns alike; w = round(size factor^(k - 1))
        output:  [B, G, G, K C]: each patch as G x G means over equal areas, the scales as channels

    Beyond the image there are zeros. Only the pixels of the widest patch are read: the cost does not depend on the size
    of the image. The gradient reaches the image, but not the locations, which are rounded to whole pixels.

    Differs from the paper: nothing; it leaves open which pixels a patch of even width has and how it is shrunk.

    Args:
        images: [B, Y, X, C], of any dtype.
        locations: [B, 2]; integers are taken as float32.
        size: Positive int G.
        scales: Positive int K.
        factor: Float f, 1 or more: ratio of the widths of successive patches; w need not be a multiple of G.

    Returns:
        [B, G, G, K C], of the dtype of the locations; computed in float32 at least.

    Raises:
        ValueError: If a shape does not fit, an argument is out of its range, or the image is smaller than a glimpse (if
            its sides are static; otherwise there are zeros beyond it). On JAX, if the images have 2^31 pixels or more.

    Example:

    >>> image = ops.reshape(ops.arange(36, dtype="float32"), (1, 6, 6, 1))
    >>> ops.convert_to_numpy(glimpses(image, [[0.0, 0.0]], size=2, scales=2))[0].tolist()
    [[[14.0, 10.5], [15.0, 12.5]], [[20.0, 22.5], [21.0, 24.5]]]
    """
    images, locations = _prepare(images, locations, size, scales, factor)
    widths = patch_widths(size, scales, factor)
    centre, known = _centre(images, ops.stop_gradient(locations))
    patch = _patch(images, ops.cast(ops.floor(centre), "int32") - widths[-1] // 2, widths[-1], centre.dtype)
    return ops.cast(_known(_shrunk(patch, widths, size), known), locations.dtype)


def soft_glimpses(images: Tensor, locations: Tensor, size: int, scales: int = 1, factor: float = 2.0) -> Tensor:
    r"""Glimpses with bilinear interpolation, differentiable with respect to the locations.

    $$ x(u, v) = \sum_{m, n} x_{mn} \max(0, 1 - |u - m|) \max(0, 1 - |v - n|) $$

    Each pixel of a patch is interpolated between four pixels of the image. Where a center is a whole number of pixels
    from the edge, the result is that of `glimpses`.

    Differs from the paper: it has only `glimpses`, with locations trained by REINFORCE.

    Args:
        images, locations, size, scales, factor: As for `glimpses`.

    Returns:
        [B, G, G, K C], of the dtype of the locations; computed in float32 at least.

    Raises:
        ValueError: As `glimpses`.

    Example: half a pixel below the middle.

    >>> image = ops.reshape(ops.arange(36, dtype="float32"), (1, 6, 6, 1))
    >>> ops.convert_to_numpy(soft_glimpses(image, [[1 / 6, 0.0]], size=2))[0, ..., 0].tolist()
    [[17.0, 18.0], [23.0, 24.0]]
    """
    images, locations = _prepare(images, locations, size, scales, factor)
    widths = patch_widths(size, scales, factor)
    centre, known = _centre(images, locations)
    start = ops.stop_gradient(ops.floor(centre))
    patch = _patch(images, ops.cast(start, "int32") - widths[-1] // 2, widths[-1] + 1, centre.dtype)
    down, right = (ops.reshape((centre - start)[:, i], (-1, 1, 1, 1)) for i in range(2))
    patch = (1 - down) * patch[:, :-1] + down * patch[:, 1:]
    patch = (1 - right) * patch[:, :, :-1] + right * patch[:, :, 1:]
    return ops.cast(_known(_shrunk(patch, widths, size), known), locations.dtype)


def patch_widths(size, scales, factor):
    """The widths of the patches in pixels, from the narrowest on: list of ints."""
    return [round(size * factor**k) for k in range(scales)]


def _prepare(images, locations, size, scales, factor):
    images, locations = ops.convert_to_tensor(images), ops.convert_to_tensor(locations)
    require_int(size, "size")
    require_int(scales, "scales")
    require_factor(factor)
    require_glimpses(images.shape, locations.shape, size)
    if not keras.backend.is_float_dtype(locations.dtype):
        locations = ops.cast(locations, "float32")
    return images, locations


def require_factor(factor):
    """Raises unless `factor` is a finite number of at least 1."""
    require_number(factor, "factor", least=1)


def require_glimpses(images_shape, locations_shape, size):
    """Raises unless there is one location [2] per image [Y, X, C], and no image is smaller than a glimpse."""
    received = f"Received: images.shape={tuple(images_shape)}, locations.shape={tuple(locations_shape)}"
    ranks = len(images_shape) == 4 and len(locations_shape) == 2 and locations_shape[1] in (None, 2)
    if not ranks or (None not in (images_shape[0], locations_shape[0]) and images_shape[0] != locations_shape[0]):
        raise ValueError(f"`images` must be [B, Y, X, C] and `locations` [B, 2]. {received}")
    if any(below(n, size) for n in images_shape[1:3]):
        raise ValueError(f"`images` must not be smaller than a glimpse. {received}, size={size}")


def _centre(images, locations):
    """(row, column) of the centers in pixels from the edge, [B, 2], and which are not NaN, boolean [B]."""
    known = locations == locations  # NaN is not
    if keras.backend.standardize_dtype(locations.dtype) != "float64":
        locations = ops.cast(locations, "float32")  # bfloat16 has no whole numbers between 256 and 258
    extent = ops.cast(ops.stack([ops.convert_to_tensor(n) for n in ops.shape(images)[1:3]]), locations.dtype)
    inside = ops.clip(ops.where(known, locations, ops.zeros_like(locations)), -1.0, 1.0)
    return (inside + 1.0) * 0.5 * extent, ops.all(known, axis=1)


def _known(x, known):
    # A constant: converters to ONNX multiply by 0 and 1 what they do not see to be NaN.
    return ops.where(ops.expand_dims(known, (1, 2, 3)), x, ops.cast(math.nan, x.dtype))


def _patch(images, start, width, dtype):
    """The pixels of [B, Y, X, C] from `start` [B, 2] on, zeros beyond the image: [B, width, width, C]."""
    B, Y, X, C = ops.shape(images)
    if INDEX == "int32" and isinstance(B, int) and B * Y * X >= 2**31:
        raise ValueError(
            f"On JAX, `images` must have fewer than 2^31 pixels in all. Received: images.shape={(B, Y, X, C)}"
        )
    Y, X = ops.cast(Y, INDEX), ops.cast(X, INDEX)
    rows, columns = (ops.cast(start[:, i : i + 1], INDEX) + ops.arange(width, dtype=INDEX) for i in range(2))
    inside = [ops.logical_and(index >= 0, index < size) for index, size in ((rows, Y), (columns, X))]
    first = ops.expand_dims(ops.arange(B, dtype=INDEX), (1, 2)) * (Y * X)
    # Not `clip`: from 0 to 6 LiteRT's converter takes it for ReLU6, which it has for floats alone.
    row, column = (ops.minimum(ops.maximum(x, 0), n - 1) for x, n in ((rows, Y), (columns, X)))
    flat = first + ops.expand_dims(row * X, 2) + ops.expand_dims(column, 1)
    pixels = ops.cast(ops.take(ops.reshape(images, (-1, C)), flat, axis=0), dtype)
    visible = ops.logical_and(ops.expand_dims(inside[0], 2), ops.expand_dims(inside[1], 1))
    return ops.where(ops.expand_dims(visible, -1), pixels, ops.zeros_like(pixels))


def _shrunk(patch, widths, size):
    """The patches of all widths around the same center, shrunk: [B, G, G, K C]."""
    parts = []
    for width in widths:
        edge = widths[-1] // 2 - width // 2
        part = patch[:, edge : edge + width, edge : edge + width]
        if width != size:
            means = ops.convert_to_tensor(area_means(width, size), dtype=patch.dtype)
            # Images first, as in `resize_align_corners`.
            part = ops.einsum("byxc,gy->bgxc", part, means)
            part = ops.einsum("bgxc,hx->bghc", part, means)
        parts.append(part)
    return ops.concatenate(parts, axis=-1)


def area_means(width, size):
    """A matrix [size, width] that takes the means over `size` equal parts of `width` pixels."""
    edges = np.expand_dims(np.arange(size + 1) * width / size, 1)
    pixels = np.arange(width)
    overlap = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return (np.maximum(overlap, 0) * size / width).astype("float32")
