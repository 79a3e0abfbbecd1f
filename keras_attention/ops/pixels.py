"""Log-likelihood of pixels under the outputs of a model."""

from keras import ops

from keras_attention.ops.labels import nan_unless_label, require_labels
from keras_attention.ops.logistic_mixture import LEVELS, logistic_mixture_log_prob
from keras_attention.ops.require import require_choice
from keras_attention.ops.shapes.sizes import chosen
from keras_attention.types import Tensor

LIKELIHOODS = ("categorical", "logistic_mixture")


def pixel_log_prob(values: Tensor, outputs: Tensor, likelihood: str = "categorical") -> Tensor:
    r"""Log-probability of pixels, summed over their channels.

    $$ \log p(v) = \sum_c \log \mathrm{softmax}(\mathrm{logits}_c)_{v_c} $$

    or, with `likelihood="logistic_mixture"`, `logistic_mixture_log_prob`. Computed in float32 at least.

    Args:
        values: [..., C], integers from 0 to 255 (of any dtype). 0 is a value like the others, never padding. Another
            value raises; in a compiled function, where values are unknown, it gives NaN.
        outputs: Logits [..., C, 256], or parameters [..., P].
        likelihood: `"categorical"` or `"logistic_mixture"`.

    Returns:
        [...], nats.

    Raises:
        ValueError: If the shapes do not fit, or a value is known and out of its range.

    Example: under a uniform distribution each of three channels takes 8 bits.

    >>> import math
    >>> print(f"{-float(pixel_log_prob([7, 0, 255], ops.zeros((3, 256)))) / math.log(2):.4f}")
    24.0000
    """
    require_likelihood(likelihood)
    values, outputs = ops.convert_to_tensor(values), ops.convert_to_tensor(outputs)
    wanted = values.shape if likelihood == "categorical" else values.shape[:-1]
    fit = len(outputs.shape) == len(wanted) + 1
    fit = fit and all(a == b or None in (a, b) for a, b in zip(wanted, outputs.shape[:-1], strict=True))
    if not fit or (likelihood == "categorical" and outputs.shape[-1] != LEVELS):
        expected = f"[..., C, {LEVELS}]" if likelihood == "categorical" else "[..., P]"
        raise ValueError(
            f"For values [..., C] a {likelihood} output is {expected}. "
            f"Received: values.shape={tuple(values.shape)}, outputs.shape={tuple(outputs.shape)}"
        )
    if likelihood == "logistic_mixture":
        return logistic_mixture_log_prob(values, outputs)
    require_labels(values, "values", LEVELS)
    outputs = ops.cast(outputs, "float64" if "float64" in str(outputs.dtype) else "float32")
    # The max is subtracted: the two terms, each as large as the logits, would cancel in their last digits.
    logits = outputs - ops.stop_gradient(ops.max(outputs, axis=-1, keepdims=True))
    return ops.sum(nan_unless_label(chosen(logits, values) - ops.logsumexp(logits, axis=-1), values, LEVELS), axis=-1)


def require_likelihood(likelihood):
    """Raises unless `likelihood` is in `LIKELIHOODS`."""
    require_choice(likelihood, "likelihood", LIKELIHOODS)
