"""Masks of block-local attention: blocks of queries and the memory around them."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras import ops

from keras_attention.ops.masks import both
from keras_attention.ops.pair_checks import require_length
from keras_attention.ops.require import is_int, require_bool
from keras_attention.types import Tensor


@dataclass(frozen=True)
class Blocks:
    """Block sizes of an image, as (rows, columns); a sequence is an image of one column."""

    query: tuple  # size of a block
    memory: tuple  # reach beyond the block
    dilation: tuple
    causal: bool

    @classmethod
    def of_sequence(cls, query_block, memory_block, causal, dilation):
        """From 1-D arguments."""
        return cls((query_block, 1), (memory_block, 0), (dilation, 1), causal)


def local_mask_1d(
    length: int | Tensor, query_block: int, memory_block: int, causal: bool = False, dilation: int = 1
) -> Tensor:
    r"""Dense mask of block-local attention over a sequence (Image Transformer).

    Queries come in blocks of `query_block`; all queries of a block see its memory: the block and `memory_block`
    positions before it and, unless causal, after it (section 3.3 of
    [Parmar et al., 2018](https://arxiv.org/abs/1802.05751)). Written out, for query t and key s, with
    start = t // query_block * query_block:

        causal:  visible[t, s] = start - memory_block <= s <= t
        else:    visible[t, s] = start - memory_block <= s < start + query_block + memory_block

    With a dilation d, the sequence is split into d sequences of every d-th position, each attended separately:
    t and s see each other only if t % d == s % d, and the above holds of t // d and s // d.

    The published code has one `block_length` for both sizes: `query_block = memory_block = block_length`.

    The mask of `LocalAttention1D` for use with any attention; it takes [T, T] memory, the layer does not.

    Args:
        length: Int or integer scalar tensor, T.
        query_block: Positive int.
        memory_block: Int, 0 or more.
        causal: Whether a query sees no later key.
        dilation: Positive int, d.

    Returns:
        Boolean [T, T]. True marks pairs that take part.

    Raises:
        ValueError: If a size is out of its range.

    Example:

    >>> from keras import ops
    >>> ops.convert_to_numpy(local_mask_1d(5, query_block=2, memory_block=1, causal=True)).astype(int).tolist()
    [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 1]]
    """
    require_length(length, "length")
    require_bool(causal, "causal")
    _require_sizes(query_block=(query_block,), memory_block=(memory_block,), dilation=(dilation,))
    blocks = Blocks.of_sequence(query_block, memory_block, causal, dilation)
    return sees((_line(length, 2, 0), 0), (_line(length, 2, 1), 0), blocks)


def local_mask_2d(
    height: int | Tensor,
    width: int | Tensor,
    query_block: Sequence[int],
    memory_block: Sequence[int],
    causal: bool = False,
    dilation: Sequence[int] = (1, 1),
) -> Tensor:
    r"""Dense mask of block-local attention over an image (Image Transformer).

    Queries come in blocks of (qh, qw) pixels; all queries of a block see its memory: the block and (fh, fw) pixels
    around it on all sides (section 3.3 of [Parmar et al., 2018](https://arxiv.org/abs/1802.05751)). If causal, blocks
    and the pixels within them are generated in raster order: in the block that starts at (y0, x0), a query sees

        above: rows y0 - fh to y0,  columns x0 - fw to x0 + qw + fw
        left:  rows y0 to y0 + qh,  columns x0 - fw to x0
        own:   its own block up to itself, row by row

    with the ends exclusive. With a dilation (dy, dx), the image is split into dy * dx images of every dy-th row and
    dx-th column, each attended separately.

    The mask of `LocalAttention2D` for use with any attention (`attention_mask` of a `MultiHeadAttention` with
    `attention_axes=(1, 2)`); it takes [Y, X, Y, X] memory, the layer does not.

    Args:
        height, width: Int or integer scalar tensor, Y and X.
        query_block: Two positive ints (qh, qw).
        memory_block: Two ints (fh, fw), 0 or more.
        causal: Whether a query sees no later key, in the order above.
        dilation: Two positive ints (dy, dx).

    Returns:
        Boolean [Y, X, Y, X]: query rows and columns, then key rows and columns. True marks pairs that take part.

    Raises:
        ValueError: If a size is out of its range, or no pair.

    Example:

    >>> from keras import ops
    >>> mask = local_mask_2d(4, 4, query_block=(2, 2), memory_block=(1, 1), causal=True)
    >>> ops.convert_to_numpy(mask)[2, 1].astype(int).tolist()
    [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    """
    require_length(height, "height")
    require_length(width, "width")
    require_bool(causal, "causal")
    _require_sizes(2, query_block=query_block, memory_block=memory_block, dilation=dilation)
    blocks = Blocks(tuple(query_block), tuple(memory_block), tuple(dilation), causal)
    queries = _line(height, 4, 0), _line(width, 4, 1)
    return sees(queries, (_line(height, 4, 2), _line(width, 4, 3)), blocks)


def sees(query, key, blocks):
    """Block-local mask: boolean, of the shape to which the four tensors broadcast.

    Args:
        query, key: (row, column), integer tensors.
        blocks: `Blocks`.
    """
    query, key = [ops.convert_to_tensor(x, "int32") for x in query], [ops.convert_to_tensor(x, "int32") for x in key]
    same = [q % d == k % d for q, k, d in zip(query, key, blocks.dilation, strict=True)]
    query, key = ([x // d for x, d in zip(position, blocks.dilation, strict=True)] for position in (query, key))
    start = [q // size * size for q, size in zip(query, blocks.query, strict=True)]
    # Relative to the start of the block, for each axis.
    offset = [k - s for k, s in zip(key, start, strict=True)]
    reach = zip(offset, blocks.query, blocks.memory, strict=True)
    near = [ops.logical_and(p >= -memory, p < size + memory) for p, size, memory in reach]
    visible = both(both(*same), both(*near))
    if not blocks.causal:
        return visible
    own = [ops.logical_and(p >= 0, p < size) for p, size in zip(offset, blocks.query, strict=True)]
    (row, column), (query_row, query_column) = key, query
    above = offset[0] < 0
    left = both(own[0], offset[1] < 0)
    not_later = ops.logical_or(row < query_row, both(row == query_row, column <= query_column))
    return both(visible, ops.logical_or(ops.logical_or(above, left), both(both(*own), not_later)))


def _require_sizes(number=1, **sizes):
    for name, value in sizes.items():
        least = 0 if name == "memory_block" else 1
        many = isinstance(value, (list, tuple)) and len(value) == number
        if not many or not all(is_int(n) and n >= least for n in value):
            received = value[0] if number == 1 else value
            what = "an int" if number == 1 else "two ints"
            raise ValueError(f"`{name}` must be {what} of at least {least}. Received: {name}={received!r}")


def _line(size, axes, axis):
    """0, 1, ... along one of `axes` axes."""
    return ops.reshape(ops.arange(size, dtype="int32"), [-1 if i == axis else 1 for i in range(axes)])
