"""Pooling for gates: per channel over all positions, and per position over all channels.

Letters: B batch, S positions, in one, two or three axes ([T], [Y, X] or [Z, Y, X]), C channels.
"""

from keras import ops

from keras_attention.ops.masks import NEGATIVE, require_boolean
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_choice
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.types import Tensor

AXES = (-1, 1)  # of the channels


def channel_pool(inputs: Tensor, pool: str = "avg", mask: Tensor | None = None, channel_axis: int = -1) -> Tensor:
    r"""Global pooling of each channel: the "squeeze" of squeeze-and-excitation.

    $$ \mathrm{avg}: \frac{1}{|S|} \sum_s x_{sc}, \quad \max_s x_{sc}, \quad
       \mathrm{lp}: \sqrt{\sum_s x_{sc}^2}, \quad \mathrm{lse}: \log \sum_s e^{x_{sc}} $$

    The first as in "Squeeze-and-Excitation Networks", eq. 2 ([Hu et al., 2018](https://arxiv.org/abs/1709.01507)), with
    the second as in "CBAM", eq. 2 ([Woo et al., 2018](https://arxiv.org/abs/1807.06521)); the others are in CBAM's
    published code. All but the max are summed in float32 (float64 inputs in float64).

    Args:
        inputs: [B, *S, C], or [B, C, *S] with `channel_axis=1`.
        pool: `"avg"`, `"max"`, `"lp"` or `"lse"`.
        mask: Boolean [B, *S]. True marks positions that take part; an image without any gets zeros.
        channel_axis: -1 or 1.

    Returns:
        [B, C].

    Raises:
        ValueError: If `pool` is none of these, or `mask` is floating.

    Example:

    >>> from keras import ops
    >>> from keras_attention.ops import channel_pool
    >>> image = ops.convert_to_tensor([[[[1.0, 5.0], [3.0, 0.0]]]])
    >>> ops.convert_to_numpy(channel_pool(image)).tolist(), ops.convert_to_numpy(channel_pool(image, "max")).tolist()
    ([[2.0, 2.5]], [[3.0, 5.0]])
    """
    require_choice(pool, "pool", POOLS)
    require_choice(channel_axis, "channel_axis", AXES)
    axes = tuple(range(1, len(inputs.shape) - 1) if channel_axis == -1 else range(2, len(inputs.shape)))
    if mask is None:
        return POOLS[pool](inputs, axes)
    mask = ops.expand_dims(require_boolean(mask, "mask"), channel_axis)
    pooled = POOLS[pool](*at_least_float32(inputs), axes, mask)
    # Where no position takes part, the pooled value is meaningless.
    return ops.cast(ops.where(ops.any(mask, axis=axes), pooled, 0.0), inputs.dtype)


def spatial_pool(inputs: Tensor, channel_axis: int = -1) -> tuple[Tensor, Tensor]:
    r"""Mean and max over the channels of each position, as in "CBAM", eq. 3
    ([Woo et al., 2018](https://arxiv.org/abs/1807.06521)).

    Args:
        inputs: [B, *S, C], or [B, C, *S] with `channel_axis=1`.
        channel_axis: -1 or 1.

    Returns:
        mean [B, *S] and max [B, *S].

    Example:

    >>> from keras import ops
    >>> from keras_attention.ops import spatial_pool
    >>> mean, maximum = spatial_pool(ops.convert_to_tensor([[[[1.0, 5.0], [3.0, 0.0]]]]))
    >>> ops.convert_to_numpy(mean).tolist(), ops.convert_to_numpy(maximum).tolist()
    ([[[3.0, 1.5]]], [[[5.0, 3.0]]])
    """
    require_choice(channel_axis, "channel_axis", AXES)
    return ops.mean(inputs, axis=channel_axis), ops.max(inputs, axis=channel_axis)


def _average(x, axes, mask=None):
    if mask is None:
        return ops.mean(x, axis=axes)
    count = ops.sum(ops.cast(mask, x.dtype), axis=axes)
    return ops.sum(zero_padding(x, mask), axis=axes) / ops.maximum(count, 1.0)


def _max(x, axes, mask=None):
    return ops.max(x if mask is None else ops.where(mask, x, NEGATIVE), axis=axes)


def _l2_norm(x, axes, mask=None):
    [y] = at_least_float32(zero_padding(x, mask))
    total = ops.sum(ops.square(y), axis=axes)
    positive = total > 0
    # The gradient of the root is infinite at 0.
    return ops.cast(ops.where(positive, ops.sqrt(ops.where(positive, total, 1.0)), 0.0), x.dtype)


def _log_sum_exp(x, axes, mask=None):
    [y] = at_least_float32(x)
    return ops.cast(ops.logsumexp(y if mask is None else ops.where(mask, y, NEGATIVE), axis=axes), x.dtype)


POOLS = {"avg": _average, "max": _max, "lp": _l2_norm, "lse": _log_sum_exp}
