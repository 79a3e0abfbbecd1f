"""Bilinear resizing of images with aligned corners."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_attention.ops.precision import computed_in
from keras_attention.ops.require import is_int
from keras_attention.ops.shapes.sizes import is_symbol, known
from keras_attention.types import Tensor


def resize_align_corners(images: Tensor, size: Sequence[int | Tensor]) -> Tensor:
    r"""Bilinear resizing with aligned corners: corner pixels stay at the corners.

    $$ output_{ij} = \sum_{yx} \max(0, 1 - |i \tfrac{Y-1}{I-1} - y|) \; \max(0, 1 - |j \tfrac{X-1}{J-1} - x|) \;
       image_{yx} $$

    Known as `align_corners=True`, which `keras.ops.image.resize` does not have. It is two products with small matrices,
    with at most two non-zero numbers per row; written out, with B batch, Y × X input size, I × J output size, C
    channels:

        rows:   [B, I, X, C] = weights [I, Y] . images [B, Y, X, C]
        output: [B, I, J, C] = weights [J, X] . rows

    An output side of one pixel takes the first pixel. Downscaling is not antialiased.

    Args:
        images: Floating [B, Y, X, C].
        size: (I, J), ints or int32 scalar tensors.

    Returns:
        [B, I, J, C], of the dtype of `images`; half precision is computed in float32.

    Raises:
        ValueError: If `images` has not four axes or is not floating, or a size is not positive.

    Example:

    >>> from keras import ops
    >>> from keras_attention.ops import resize_align_corners
    >>> line = ops.convert_to_tensor([[[[0.0], [1.0], [4.0]]]])
    >>> ops.convert_to_numpy(resize_align_corners(line, (1, 5)))[0, 0, :, 0].tolist()
    [0.0, 0.5, 1.0, 2.5, 4.0]
    """
    images = ops.convert_to_tensor(images)
    dtype = keras.backend.standardize_dtype(images.dtype)
    if len(images.shape) != 4 or not keras.backend.is_float_dtype(dtype):
        raise ValueError(
            "`images` must be floating [B, Y, X, C]. "
            f"Received: images.shape={tuple(images.shape)}, images.dtype={dtype}"
        )
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(map(_is_size, size)):
        raise ValueError(f"`size` must be two ints or scalar integer tensors. Received: size={size!r}")
    if any(is_int(n) and n < 1 for n in size):
        raise ValueError(f"`size` must be two positive ints. Received: size={size!r}")
    Y, X = ops.shape(images)[1:3]
    # Not every backend accumulates the products of half precision in float32.
    exact = computed_in(images)
    rows, columns = (ops.cast(_weights(*n), exact) for n in ((size[0], Y), (size[1], X)))
    # Images first: LiteRT loses a batch of unknown size in the other order.
    resized = ops.einsum("bixc,jx->bijc", ops.einsum("byxc,iy->bixc", ops.cast(images, exact), rows), columns)
    return ops.cast(resized, dtype)


def _weights(target, source):
    """Interpolation weights of `source` pixels for `target` pixels: [target, source]."""
    if known(target, source):
        # XLA would turn the division into a product, and the last position would not be exact.
        positions = np.arange(target) * (source - 1) / max(target - 1, 1)
        return np.maximum(0, 1 - np.abs(np.expand_dims(positions, 1) - np.arange(source)))
    last = ops.maximum(ops.cast(target, "float32") - 1, 1.0)
    # Multiplied before divided, so that the last position is exact.
    positions = ops.cast(ops.arange(target), "float32") * (ops.cast(source, "float32") - 1) / last
    return ops.relu(1 - ops.abs(ops.expand_dims(positions, 1) - ops.cast(ops.arange(source), "float32")))


def _is_size(n):
    return ops.is_tensor(n) or is_int(n) or is_symbol(n)
