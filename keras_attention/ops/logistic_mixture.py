r"""Discretized mixture of logistics: log-probability of pixels, and sampling.

The densities are continuous, over channels scaled to [-1, 1]; a channel has 256 values, each of which stands for the
interval of width 2/255 around it, and the outermost for all that lies beyond. One component explains all channels of a
pixel: the mean of a channel is a linear function of the channels before it.

Letters: C channels, K components; the leading axes are any.
"""

import math

import keras
from keras import ops

from keras_attention.ops.labels import nan_unless_label, require_labels
from keras_attention.ops.require import require_int
from keras_attention.types import Tensor

LEVELS = 256
SMALLEST_LOG_SCALE = -7.0
SERIES_BELOW = 1e-3  # the next term of the series is 1e-16 there


def logistic_mixture_size(channels: int) -> int:
    """Number of parameters per component: a mixture logit, and C means, C log-scales and C(C-1)/2 coefficients.

    Args:
        channels: Positive int C.

    Returns:
        Int.

    Example: 10 for a color image.

    >>> logistic_mixture_size(3)
    10
    """
    channels = require_int(channels, "channels")
    return 1 + 2 * channels + channels * (channels - 1) // 2


def logistic_mixture_log_prob(values: Tensor, parameters: Tensor) -> Tensor:
    r"""Log-probability of pixels under discretized mixtures of logistics.

    $$ P(x) = \sum_k \pi_k \prod_c \left[ \sigma\left(\frac{x_c + 1/255 - m_{kc}}{s_{kc}}\right)
       - \sigma\left(\frac{x_c - 1/255 - m_{kc}}{s_{kc}}\right) \right], \quad
       m_{kc} = \mu_{kc} + \sum_{j<c} \tanh(a_{kcj}) \, x_j $$

    with $x = v / 127.5 - 1$ in [-1, 1]; the intervals of 0 and 255 are open-ended. As in "PixelCNN++", eq. 2
    and 3 ([Salimans et al., 2017](https://arxiv.org/abs/1701.05517)), which the Image Transformer uses for its ordinal
    outputs. The last axis of `parameters`, with K components, is

        [K mixture logits, K·C means, K·C log-scales, K·C(C-1)/2 coefficients]

    the component before the channel in each part, and the coefficients of a channel in the order of the channels
    before it. Log-scales are at least -7. The logarithm of the difference is taken exactly, as

        log(σ(a) - σ(b)) = -softplus(-a) - softplus(b) + log(1 - exp(b - a))

    Differs from the published code: for a very improbable value that code takes the density in the middle of the
    interval instead of the difference; here it is exact, so that the 256 probabilities always sum to 1. Logarithms and
    gradients are finite wherever the parameters are.

    Args:
        values: [..., C], integers from 0 to 255 (of any dtype). Another value raises; in a compiled function, where
            values are unknown, it gives NaN.
        parameters: [..., K * logistic_mixture_size(C)], floating.

    Returns:
        [...], nats for all C channels together, in float32 or the wider dtype of `parameters`.

    Raises:
        ValueError: If the shapes do not fit, or a value is known and out of its range.

    Example: one component with mean 0 and log-scale -2.

    >>> print(f"{float(logistic_mixture_log_prob([128], [0.0, 0.0, -2.0])):.6f}")
    -4.234691
    """
    values, parameters = ops.convert_to_tensor(values), ops.convert_to_tensor(parameters)
    C = values.shape[-1]
    logits, means, log_scales, coefficients = _split(parameters, C)
    require_labels(values, "values", LEVELS)
    values = ops.expand_dims(ops.cast(values, logits.dtype), -2)
    x = values / 127.5 - 1.0
    means = ops.stack([_mean(means, coefficients, x, c) for c in range(C)], axis=-1)
    rates = ops.exp(-log_scales)
    middle, half = (x - means) * rates, rates / 255.0
    below, above = -ops.softplus(-(middle + half)), -ops.softplus(middle - half)  # log of σ(a), of 1 - σ(b)
    below = ops.where(values > LEVELS - 1.5, ops.zeros_like(below), below)
    above = ops.where(values < 0.5, ops.zeros_like(above), above)
    inside = ops.logical_and(values > 0.5, values < LEVELS - 1.5)
    channels = below + above + ops.where(inside, _log_width(log_scales), ops.zeros_like(below))
    channels = nan_unless_label(channels, values, LEVELS)
    return ops.logsumexp(ops.log_softmax(logits, axis=-1) + ops.sum(channels, axis=-1), axis=-1)


def logistic_mixture_sample(parameters: Tensor, channels: int, noise: Tensor, temperature: float = 1.0) -> Tensor:
    r"""Samples pixels from discretized mixtures of logistics.

    $$ k \sim \pi^{1/\tau}, \quad x_c = m_{kc} + \tau s_{kc} (\log u_c - \log(1 - u_c)) $$

    each channel rounded to its nearest value before it moves the mean of the next, so that with $\tau = 1$ samples have
    the probability given by `logistic_mixture_log_prob`. With $\tau$ near 0 the result is the mean of the most probable
    component.

    Differs from the published codes: one rounds all channels at the end, and one clips each but rounds at the end,
    which samples from a slightly different distribution than the one that was trained. The temperature is not in the
    paper, which has it for categorical outputs only.

    Args:
        parameters: [..., K * logistic_mixture_size(C)].
        channels: Positive int C.
        noise: [..., K + C], uniform in [0, 1): K for the component, then one a channel.
        temperature: Positive float.

    Returns:
        int32 [..., C], from 0 to 255.

    Raises:
        ValueError: If the shapes do not fit.

    Example: noise of 0.5 gives the mean.

    >>> int(logistic_mixture_sample([0.0, 0.2, -3.0], 1, [0.5, 0.5])[0])
    153
    """
    parameters, noise = ops.convert_to_tensor(parameters), ops.convert_to_tensor(noise)
    logits, means, log_scales, coefficients = _split(parameters, channels)
    K = logits.shape[-1]
    if noise.shape[-1] != K + channels:
        raise ValueError(
            f"The last axis of `noise` must be {K + channels}, for {K} components and {channels} channels. "
            f"Received: noise.shape={tuple(noise.shape)}"
        )
    # Never 0 nor 1, whose logarithms are infinite.
    noise = ops.cast(noise, logits.dtype) * (1.0 - 2.0**-23) + 2.0**-24
    gumbel = -ops.log(-ops.log(noise[..., :K]))
    best = ops.argmax(logits / temperature + gumbel, axis=-1)
    chosen = ops.expand_dims(ops.one_hot(best, K, dtype=logits.dtype), -1)
    means, log_scales, coefficients = (
        ops.sum(chosen * part, axis=-2, keepdims=True) for part in (means, log_scales, coefficients)
    )
    spread = temperature * ops.exp(log_scales) * ops.expand_dims((ops.log(noise) - ops.log1p(-noise))[..., K:], -2)
    pixel = []
    for c in range(channels):
        x = ops.stack(pixel, axis=-1) / 127.5 - 1.0 if pixel else None
        level = (_mean(means, coefficients, x, c) + spread[..., c] + 1.0) * 127.5
        pixel.append(ops.clip(ops.round(level), 0, LEVELS - 1))
    return ops.cast(ops.concatenate(pixel, axis=-1), "int32")


def _split(parameters, C):
    """Mixture logits [..., K], means and log-scales [..., K, C], coefficients in (-1, 1) [..., K, C(C-1)/2]."""
    size, P = logistic_mixture_size(C), parameters.shape[-1]
    if P is None or P % size:
        raise ValueError(
            f"The last axis of `parameters` must be a multiple of {size}, for {C} channels. "
            f"Received: parameters.shape={tuple(parameters.shape)}"
        )
    K, pairs = P // size, C * (C - 1) // 2
    # At least float32. On PyTorch Keras promotes float64 to float32: here, and in `ops.maximum`.
    dtype = keras.backend.standardize_dtype(parameters.dtype)
    parameters = ops.cast(parameters, dtype if dtype == "float64" else "float32")
    leading = ops.shape(parameters)[:-1]
    parts = []
    for first, width in ((K, C), (K + K * C, C), (K + 2 * K * C, pairs)):
        parts.append(ops.reshape(parameters[..., first : first + K * width], (*leading, K, width)))
    means, log_scales, coefficients = parts
    smallest = ops.full_like(log_scales, SMALLEST_LOG_SCALE)
    log_scales = ops.where(log_scales < SMALLEST_LOG_SCALE, smallest, log_scales)
    return parameters[..., :K], means, log_scales, ops.tanh(coefficients)


def _mean(means, coefficients, x, c):
    """The mean of channel c, given the channels before it: [..., K]."""
    first = c * (c - 1) // 2
    mean = means[..., c]
    for j in range(c):
        mean = mean + coefficients[..., first + j] * x[..., j]
    return mean


def _log_width(log_scales):
    """log(1 - exp(-d)) for d = 2 / (255 s), also where exp(-d) rounds to 1."""
    width = ops.exp(math.log(2.0 / 255.0) - log_scales)
    small = width < SERIES_BELOW
    # The branch that is not selected must be finite too, or its gradient is NaN.
    exact = ops.log(-ops.expm1(-ops.where(small, ops.ones_like(width), width)))
    series = math.log(2.0 / 255.0) - log_scales - width / 2.0 + width * width / 24.0
    return ops.where(small, series, exact)
