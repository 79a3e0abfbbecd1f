"""Position encodings: sinusoidal, and biases by distance (ALiBi, T5).

A bias by distance is `[1, N, T+S-1]`: entry j is the bias of distance `s - t = j - (T-1)` between row t of the
queries and row s of the keys. It is a `[N, T, S]` bias of relative positions in linear memory, which `attend` takes
as it is.

Letters: B batch, T queries, S keys, N heads, H head size, D model width, P positions, Y rows, X columns.
"""

import functools
import math

import numpy as np
from keras import ops

from keras_attention.ops.pair_checks import require_length
from keras_attention.ops.require import require_bool, require_int, require_number
from keras_attention.ops.shapes.sizes import maximum
from keras_attention.types import Tensor


def sinusoidal(positions: Tensor, size: int, variant: str = "paper", max_wavelength: float = 10000.0) -> Tensor:
    r"""Sinusoidal position encoding ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), 3.5).

    $$ PE(p, 2i) = \sin(p / 10000^{2i/D}), \quad PE(p, 2i+1) = \cos(p / 10000^{2i/D}) $$

    Args:
        positions: Tensor of any shape, integer or floating; counted from 0.
        size: Positive int D.
        variant: `"paper"`, sine and cosine interleaved as above; or
            `"reference"`, the published code: all sines, then all cosines,
            of wavelengths whose exponent is `i / (D/2 - 1)`, so that the
            last one reaches `max_wavelength`; an odd D is padded with a zero.
        max_wavelength: Positive float, 10000 in the paper (over 2 pi).

    Returns:
        float32 tensor [..., D].

    Example:

    >>> tuple(sinusoidal(ops.arange(50), 16).shape)
    (50, 16)
    """
    if variant not in ("paper", "reference"):
        raise ValueError(f'`variant` must be "paper" or "reference". Received: variant={variant!r}')
    require_int(size, "size")
    require_number(max_wavelength, "max_wavelength", above=0)
    paper = variant == "paper"
    pairs = -(-size // 2) if paper else size // 2
    exponents = 2 * np.arange(pairs) / size if paper else np.arange(pairs) / max(pairs - 1, 1)
    rates = ops.convert_to_tensor((float(max_wavelength) ** -exponents).astype("float32"))
    angles = ops.expand_dims(ops.cast(positions, "float32"), -1) * rates
    if not paper:
        encoding = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        return ops.pad(encoding, [[0, 0]] * (len(angles.shape) - 1) + [[0, size % 2]])
    encoding = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(encoding, (*ops.shape(angles)[:-1], 2 * pairs))[..., :size]


def sinusoidal_2d(
    rows: Tensor, columns: Tensor, size: int, variant: str = "paper", max_wavelength: float = 10000.0
) -> Tensor:
    r"""Sinusoidal encoding of image positions: the first half of the channels is the row, the second the column.

    $$ PE(y, x) = [PE_{D/2}(y), \; PE_{D/2}(x)] $$

    as in "Image Transformer", section 3.2 ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)).

    Args:
        rows: [Y], integer or floating; counted from 0.
        columns: [X].
        size: Even positive int D.
        variant: That of both halves, see `sinusoidal`: `"paper"` or `"reference"`, the published code.
        max_wavelength: Positive float.

    Returns:
        float32 tensor [Y, X, D].

    Example:

    >>> tuple(sinusoidal_2d(ops.arange(3), ops.arange(5), 16).shape)
    (3, 5, 16)
    """
    require_int(size, "size")
    if size % 2:
        raise ValueError(f"`size` must be even: half of it is for the rows. Received: size={size}")
    down, across = (sinusoidal(x, size // 2, variant, max_wavelength) for x in (rows, columns))
    shape = (ops.shape(down)[0], ops.shape(across)[0], size // 2)
    down, across = (ops.broadcast_to(ops.expand_dims(x, i), shape) for x, i in ((down, 1), (across, 0)))
    return ops.concatenate([down, across], axis=-1)


def distances(T: int | Tensor, S: int | Tensor, query_offset: int | Tensor = 0) -> Tensor:
    """Every distance `s - (t + query_offset)` that occurs between T queries and S keys, ascending: int32 [T+S-1].

    Args:
        T, S: Lengths, Python ints or int32 scalars.
        query_offset: Position of the first query, counted in keys: int or int32 scalar tensor.
    """
    require_length(T, "T")
    require_length(S, "S")
    # Without a query and a key there is no distance.
    return ops.arange(maximum(T + S - 1, 0), dtype="int32") - (T - 1) - query_offset


def alibi_slopes(num_heads: int) -> np.ndarray:
    """Slopes of ALiBi, one per head ([Press et al., 2022](https://arxiv.org/abs/2108.12409), section 3).

    slope_i = 2^(-8 i / N), i = 1..N, for N a power of two. For other N, as in the published code: the slopes of the
    next lower power of two P, then every other slope of 2P until there are N.

    Args:
        num_heads: Positive int N.

    Returns:
        NumPy float32 [N].
    """
    require_int(num_heads, "num_heads")
    lower = 2 ** int(math.log2(num_heads))
    slopes = [2.0 ** (-8 * i / lower) for i in range(1, lower + 1)]
    between = [2.0 ** (-8 * i / (2 * lower)) for i in range(1, 2 * lower + 1, 2)]
    return np.array(slopes + between[: num_heads - lower], "float32")


def alibi(distance: Tensor, num_heads: int) -> Tensor:
    """ALiBi, attention with linear biases: `-slope * |distance|`.

    The paper is causal, where distances are never positive; both directions are penalized alike here.

    Args:
        distance: [P], see `distances`.
        num_heads: Positive int N.

    Returns:
        float32 [1, N, P], a bias by distance for `attend`.

    Example:

    >>> ops.convert_to_numpy(alibi(ops.convert_to_tensor([-2, -1]), 1)).tolist()
    [[[-0.0078125, -0.00390625]]]
    """
    slopes = ops.convert_to_tensor(alibi_slopes(num_heads))
    return -ops.expand_dims(slopes, (0, 2)) * ops.abs(ops.cast(distance, "float32"))


def relative_bucket(
    distance: Tensor, num_buckets: int = 32, max_distance: int = 128, bidirectional: bool = True
) -> Tensor:
    """Relative position buckets of T5 ([Raffel et al., 2020](https://arxiv.org/abs/1910.10683), 2.1 and its code).

    The first half of the buckets is for one distance each, 0, 1, 2...; the second half grows logarithmically up to
    `max_distance`; larger distances share the last one. With `bidirectional`, half of all buckets (the upper) is
    for keys after the query; without it, such keys share bucket 0. Bucket borders are computed exactly, in integers.

    Args:
        distance: Integer tensor of any shape, `s - t`: position of the key minus that of the query.
        num_buckets: Positive int; even and at least 4 with `bidirectional`, else at least 2.
        max_distance: Int, more than half the buckets of one direction.
        bidirectional: Whether keys after the query have buckets of their own.

    Returns:
        int32 tensor shaped like `distance`, from 0 to `num_buckets - 1`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> ops.convert_to_numpy(relative_bucket(ops.convert_to_tensor([-200, -20, -1, 0, 1, 20]))).tolist()
    [15, 10, 1, 0, 17, 26]
    """
    require_bool(bidirectional, "bidirectional")
    require_int(num_buckets, "num_buckets", least=4 if bidirectional else 2)
    if bidirectional and num_buckets % 2:
        raise ValueError(f"`num_buckets` must be even with `bidirectional`. Received: num_buckets={num_buckets}")
    require_int(max_distance, "max_distance", least=num_buckets // (4 if bidirectional else 2) + 1)
    distance = ops.cast(distance, "int32")
    if bidirectional:
        num_buckets //= 2
        first = ops.where(distance > 0, num_buckets, 0)
        apart = ops.abs(distance)
    else:
        first = ops.zeros_like(distance)
        apart = ops.maximum(-distance, 0)
    exact = num_buckets // 2
    borders = ops.convert_to_tensor(np.array(_log_borders(num_buckets, max_distance), "int32"))
    far = exact + ops.sum(ops.cast(ops.expand_dims(apart, -1) >= borders, "int32"), axis=-1)
    return ops.cast(first, "int32") + ops.where(apart < exact, apart, ops.cast(far, "int32"))


@functools.lru_cache
def _log_borders(num_buckets, max_distance):
    """The smallest distance of each logarithmic bucket but the first.

    Bucket k begins where `log(n / exact) / log(max_distance / exact) * steps >= k`; both sides as powers of integers.
    """
    exact = num_buckets // 2
    steps = num_buckets - exact
    borders = []
    for k in range(1, steps):
        n = max(exact, int(exact * (max_distance / exact) ** (k / steps)) - 1)  # a float's guess, from below
        while n**steps * exact**k < max_distance**k * exact**steps:
            n += 1
        borders.append(n)
    return borders
