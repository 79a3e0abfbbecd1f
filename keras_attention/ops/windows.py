"""Softmax over the keys in a window around a center, weighted by a Gaussian."""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.masks import both
from keras_attention.ops.pair_checks import require_length
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_number
from keras_attention.ops.softmax import masked_softmax
from keras_attention.types import Tensor


@dataclass(frozen=True)
class Window:
    """The keys s with |s - center| <= half_width.

    With `gaussian`, they are weighted by exp(-(s - center)^2 / (2 sigma^2)), sigma = half_width / 2: after the softmax,
    or, with `renormalize`, before it, so that the weights sum to 1.
    """

    half_width: float
    gaussian: bool = True
    renormalize: bool = False


def gaussian_window(center: Tensor, length: int | Tensor, half_width: float) -> Tensor:
    r"""Gaussian weights of the keys in a window around a center.

    $$ \exp\left(-\frac{(s - p)^2}{2 \sigma^2}\right) \text{ for } |s - p| \le D, \quad \sigma = D / 2 $$

    as in "Effective Approaches to Attention-based Neural Machine Translation", eq. 10
    ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)).

    Args:
        center: Floating [...], p, counted in keys from 0.
        length: Int or integer scalar tensor, the number of keys S.
        half_width: Positive number, D.

    Returns:
        [..., S], float32 (float64 of a center in float64); 0 outside of the window.

    Raises:
        ValueError: If `half_width` is not positive, or `length` is not an integer.

    Example:

    >>> [round(float(x), 3) for x in gaussian_window(1.0, 5, half_width=2)]
    [0.607, 1.0, 0.607, 0.135, 0.0]
    """
    require_number(half_width, "half_width", above=0)
    require_length(length, "length")
    [center] = at_least_float32(center)
    near, ratio = _offset(ops.expand_dims(center, -1), length, half_width)
    bell = _gaussian(ratio)
    return ops.where(near, bell, ops.zeros_like(bell))


def weigh(logits, visible=None, center=None, window=None):
    """Weights of the keys [..., T, S], and their vector-Jacobian product with the logits and the center.

    Args:
        logits: [..., T, S], float32 or float64.
        visible: Boolean, broadcastable to the logits, or `None`.
        center: [..., T, 1], of the dtype of the logits, or `None`.
        window: `Window`; with `center`.
    """
    if window is None:
        probs = masked_softmax(logits, visible)
        return probs, lambda d_probs: (_softmax_gradient(probs, d_probs), None)
    near, ratio = _offset(center, ops.shape(logits)[-1], window.half_width)
    visible = both(visible, near)
    before = window.gaussian and window.renormalize
    probs = masked_softmax(logits - 2.0 * ops.square(ratio) if before else logits, visible)
    bell = _gaussian(ratio) if window.gaussian and not window.renormalize else None
    weights = probs if bell is None else probs * bell

    def vjp(d_weights):
        d_logits = _softmax_gradient(probs, d_weights if bell is None else d_weights * bell)
        if not window.gaussian:
            return d_logits, ops.zeros_like(center)
        d_exponent = d_logits if bell is None else d_weights * weights
        return d_logits, ops.sum(d_exponent * ratio, axis=-1, keepdims=True) * (4.0 / window.half_width)

    return weights, vjp


def _softmax_gradient(probs, d_probs):
    return probs * (d_probs - ops.sum(probs * d_probs, axis=-1, keepdims=True))


def _offset(center, length, half_width):
    """Which keys are in the window, and how far they are from its center, in half widths (0 outside): [..., T, S].

    Outside it is 0, because the center may be infinite or NaN.
    """
    distance = ops.cast(ops.arange(length, dtype="int32"), center.dtype) - center
    near = ops.abs(distance) <= half_width
    return near, ops.where(near, distance, ops.zeros_like(distance)) / half_width


def _gaussian(ratio):
    """exp(-(s - center)^2 / (2 sigma^2)) with sigma = half_width / 2."""
    return ops.exp(-2.0 * ops.square(ratio))
