"""Windows that follow the query: a softmax over the keys near a centre, weighed by a Gaussian around it."""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.masks import both
from keras_attention.ops.softmax import masked_softmax


@dataclass(frozen=True)
class Window:
    """Keys s with |s - center| <= half_width are seen.

    With `gaussian`, they are weighed by exp(-(s - center)^2 / (2 sigma^2)), sigma = half_width / 2: after the softmax,
    or, with `renormalize`, before it, so that the weights sum to 1.
    """

    half_width: float
    gaussian: bool = True
    renormalize: bool = False

    @property
    def sharpness(self):
        """1 / sigma^2."""
        return 4.0 / self.half_width**2


def gaussian_window(center, length, half_width):
    r"""How much the keys around a centre count.

    $$ \exp\left(-\frac{(s - p)^2}{2 \sigma^2}\right) \text{ for } |s - p| \le D, \quad \sigma = D / 2 $$

    as in "Effective Approaches to Attention-based Neural Machine Translation", eq. 10
    ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)).

    Args:
        center: Floating [...], p, counted in keys from 0.
        length: Int or integer scalar tensor, the number of keys S.
        half_width: Positive number, D.

    Returns:
        [..., S], float32; 0 outside of the window.

    Example:

    >>> [round(float(x), 3) for x in gaussian_window(1.0, 5, half_width=2)]
    [0.607, 1.0, 0.607, 0.135, 0.0]
    """
    window = Window(half_width)
    distance = _distance(ops.convert_to_tensor(center)[..., None], length)
    return ops.where(_near(distance, window), _gaussian(distance, window), 0.0)


def weigh(logits, visible=None, center=None, window=None):
    """The weights of keys [..., T, S], and a function from their gradient to those of the logits and the centre.

    Args:
        logits: [..., T, S], float32.
        visible: Boolean, broadcastable to the logits, or `None`.
        center: [..., T, 1], float32, or `None`.
        window: `Window`; with `center`.
    """
    if window is None:
        probs = masked_softmax(logits, visible)
        return probs, lambda d_probs: (_softmax_gradient(probs, d_probs), None)
    distance = _distance(center, ops.shape(logits)[-1])
    visible = both(visible, _near(distance, window))
    before = window.gaussian and window.renormalize
    probs = masked_softmax(logits - 0.5 * window.sharpness * ops.square(distance) if before else logits, visible)
    bell = _gaussian(distance, window) if window.gaussian and not window.renormalize else None
    weights = probs if bell is None else probs * bell

    def pullback(d_weights):
        d_logits = _softmax_gradient(probs, d_weights if bell is None else d_weights * bell)
        if not window.gaussian:
            return d_logits, ops.zeros_like(center)
        rising = d_logits if bell is None else d_weights * weights
        return d_logits, ops.sum(rising * distance, axis=-1, keepdims=True) * window.sharpness

    return weights, pullback


def _softmax_gradient(probs, d_probs):
    return probs * (d_probs - ops.sum(probs * d_probs, axis=-1, keepdims=True))


def _distance(center, length):
    return ops.cast(ops.arange(length, dtype="int32"), "float32") - center


def _near(distance, window):
    return ops.abs(distance) <= window.half_width


def _gaussian(distance, window):
    return ops.exp(-0.5 * window.sharpness * ops.square(distance))
