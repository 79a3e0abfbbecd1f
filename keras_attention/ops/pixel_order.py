"""Generation order of an image (raster order, or block by block), and the shift along it.

In raster order rows follow each other from the top, and a row runs from the left. In block order the image is cut into
blocks of the same size from its top left corner; the blocks follow each other in raster order, and so do the positions
within a block. Blocks at the bottom and the right are cut off where the image ends.

Letters: B batch, Y rows, X columns; p is an index in the order, from 0 to Y·X - 1.
"""

from collections.abc import Sequence

from keras import ops

from keras_attention.ops.require import require_bool, require_pair
from keras_attention.types import Tensor


def generation_coordinates(index, Y, X, block=None):
    """Row and column of the position with a given index in the generation order.

    Args:
        index: Integer tensor of any shape: indices in the order, from 0 to Y·X - 1.
        Y, X: Ints or int32 scalar tensors.
        block: (rows, columns) of a block, or `None` for raster order.

    Returns:
        (rows, columns), int32, each of the shape of `index`.

    Example: of a 4 x 6 image in blocks of 2 x 3, the second block begins at index 6.

    >>> row, column = generation_coordinates(7, 4, 6, block=(2, 3))
    >>> int(row), int(column)
    (0, 4)
    """
    index = ops.cast(index, "int32")
    if block is None:
        return index // X, index % X
    qh, qw = block
    band = index // (qh * X)  # a row of blocks
    within = index - band * qh * X
    height = ops.minimum(qh, Y - band * qh)
    blocks = within // (height * qw)
    within = within - blocks * height * qw
    width = ops.minimum(qw, X - blocks * qw)
    return band * qh + within // width, blocks * qw + within % width


def generation_index(row, column, Y, X, block=None):
    """Index of a position in the generation order: the inverse of `generation_coordinates`.

    Args:
        row, column: Integer tensors whose shapes broadcast.
        Y, X, block: See `generation_coordinates`.

    Returns:
        int32.
    """
    row, column = ops.cast(row, "int32"), ops.cast(column, "int32")
    if block is None:
        return row * X + column
    qh, qw = block
    band, blocks = row // qh, column // qw
    height, width = ops.minimum(qh, Y - band * qh), ops.minimum(qw, X - blocks * qw)
    return band * qh * X + blocks * height * qw + (row % qh) * width + column % qw


def begins_block(index, Y, X, block=None):
    """Whether an index is the first of its block; in raster order, of the image. Boolean."""
    row, column = generation_coordinates(index, Y, X, block)
    if block is None:
        return ops.logical_and(row == 0, column == 0)
    return ops.logical_and(row % block[0] == 0, column % block[1] == 0)


def to_sequence(x, block=None):
    """Flattens an image in generation order: [B, Y, X, ...] -> [B, Y·X, ...].

    Example:

    >>> image = ops.reshape(ops.arange(8), (1, 2, 4))
    >>> ops.convert_to_numpy(to_sequence(image, block=(2, 2)))[0].tolist()
    [0, 1, 4, 5, 2, 3, 6, 7]
    """
    _, Y, X = ops.shape(x)[:3]
    flat = _flatten(x)
    if block is None:
        return flat
    row, column = generation_coordinates(ops.arange(Y * X, dtype="int32"), Y, X, block)
    return ops.take(flat, row * X + column, axis=1)


def to_image(sequence, Y, X, block=None):
    """The inverse of `to_sequence`: [B, Y·X, ...] -> [B, Y, X, ...].

    Args:
        sequence: [B, Y·X, ...].
        Y, X: Ints or int32 scalar tensors.
        block: See `generation_coordinates`.
    """
    if block is not None:
        sequence = ops.take(sequence, _flat_indices(Y, X, block), axis=1)
    return ops.reshape(sequence, (ops.shape(sequence)[0], Y, X, *sequence.shape[2:]))


def shift_right(x: Tensor, block: Sequence[int] | None = None, each_block: bool = False) -> Tensor:
    r"""Shifts an image by one position along its generation order.

    $$ y_0 = 0, \quad y_p = x_{p-1} $$

    as in "Image Transformer" ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)), so that an autoregressive model
    predicts a position from those before it. Only the last position of the image is lost.

    Differs from the paper: nothing. Its published code, for 2-D attention, shifts each block separately
    (`each_block=True`): the last position of each block is lost.

    Args:
        x: [B, Y, X, ...].
        block: (rows, columns) of a block, or `None` for raster order.
        each_block: Whether to shift each block separately, so that each begins with zeros.

    Returns:
        Tensor shaped like `x`.

    Example:

    >>> image = ops.reshape(ops.arange(1, 17), (1, 4, 4))
    >>> ops.convert_to_numpy(shift_right(image, block=(2, 2)))[0].tolist()
    [[0, 1, 6, 3], [2, 5, 4, 7], [8, 9, 14, 11], [10, 13, 12, 15]]
    """
    block = None if block is None else require_pair(block, "block")
    require_bool(each_block, "each_block")
    dims = ops.shape(x)
    _, Y, X = dims[:3]
    flat = _flatten(x)
    if block is None:
        before = ops.concatenate([ops.zeros_like(flat[:, :1]), flat[:, :-1]], axis=1)
        return ops.reshape(before, dims)
    index = _flat_indices(Y, X, block)
    row, column = generation_coordinates(ops.maximum(index - 1, 0), Y, X, block)
    before = ops.take(flat, row * X + column, axis=1)
    first = begins_block(index, Y, X, block) if each_block else index == 0
    first = ops.reshape(first, (1, -1, *[1] * (len(x.shape) - 3)))
    return ops.reshape(ops.where(first, ops.zeros_like(before), before), dims)


def _flatten(x):
    B, Y, X = ops.shape(x)[:3]
    return ops.reshape(x, (B, Y * X, *x.shape[3:]))


def _flat_indices(Y, X, block):
    """The indices of all positions in raster order, [Y·X]."""
    raster = ops.arange(Y * X, dtype="int32")
    return generation_index(raster // X, raster % X, Y, X, block)
