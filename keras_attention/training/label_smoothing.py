"""Cross-entropy against smoothed labels, over the tokens that are not padding."""

import math

import keras
from keras import ops

from keras_attention.ops.labels import nan_unless_label, require_labels
from keras_attention.ops.require import require_choice, require_rate
from keras_attention.ops.shapes.sizes import chosen, with_rank
from keras_attention.training.padding import not_padding, require_padding_id

VARIANTS = ("paper", "reference")


@keras.saving.register_keras_serializable(package="keras_attention")
class LabelSmoothedCrossEntropy(keras.losses.Loss):
    r"""Cross-entropy against labels that give a part $\epsilon$ of their weight away.

    $$ loss = -\frac{1}{|\{y \ne 0\}|} \sum_{y \ne 0} \sum_v q(v) \log p(v) $$

    with the smoothed label q in one of its two published forms, V the vocabulary:

        "paper":      q = 1 - e + e / V on the truth, e / V on the others
        "reference":  q = 1 - e on the truth, e / (V - 1) on the others; less the entropy
                      of q, so that the smallest possible loss is 0

    The first is section 7 of "Rethinking the Inception Architecture"
    ([Szegedy et al., 2015](https://arxiv.org/abs/1512.00567)), which "Attention Is All
    You Need" cites; the second is that paper's published code. q is never built: the
    sum over v is

        a = 1 - e - b, b = e / V  or  e / (V - 1)    ("paper": a = 1 - e)
        losses: [B, T] = logsumexp(logits) - a logits[y] - b sum(logits)

    Computed in float32, whatever the dtype of the logits.

    Masking: where `y_true` is `padding_id`, or the weight is 0, nothing counts, not even a
    NaN, and the mean is over the other tokens. The Keras mask of `y_pred` is not
    consulted: it speaks of the decoder's input, whose start token may well be 0.

    A token that is not from 0 to V - 1 is refused; in a compiled step its loss is NaN.

    Args:
        smoothing: Float e in [0, 1); 0 is the plain cross-entropy.
        variant: `"paper"` or `"reference"`.
        padding_id: Int, the token that does not count; `None` if all do.
        reduction: `"mean_with_sample_weight"` (the default: over what counts, weighted by
            `sample_weight`), `"sum"` or `"none"`.
        name: Optional name.

    Call arguments:
        y_true: Integers [B, T] (any rank).
        y_pred: Logits [B, T, V].
        sample_weight: Weights [B, T] or [B], or `None`.

    Returns:
        Float32 scalar; [B, T] with `reduction="none"`.

    Raises:
        ValueError: If an argument is out of its range, a token that counts is none of the V,
            or the shapes do not fit.

    Example: the best prediction has loss 0; the second token is padding.

    >>> import numpy as np
    >>> loss = LabelSmoothedCrossEntropy(smoothing=0.1, variant="reference")
    >>> best = np.log([[[0.05, 0.9, 0.05], [0.3, 0.3, 0.4]]])
    >>> abs(round(float(loss(np.array([[1, 0]]), best)), 6))
    0.0
    """

    def __init__(
        self,
        smoothing=0.1,
        variant="paper",
        padding_id=0,
        reduction="mean_with_sample_weight",
        name="label_smoothed_cross_entropy",
    ):
        require_rate(smoothing, "smoothing")
        require_choice(variant, "variant", VARIANTS)
        if reduction not in ("mean_with_sample_weight", "sum", "none", None):
            raise ValueError(
                "`reduction` must be 'mean_with_sample_weight', 'sum' or 'none' (any other mean would count the "
                f"padding). Received: reduction={reduction!r}"
            )
        require_padding_id(padding_id)
        # Keras hands `y_true` over in the dtype of the loss: float32 holds every token id below 2^24.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.smoothing = float(smoothing)
        self.variant = variant
        self.padding_id = padding_id

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        _require_shapes(y_true, y_pred)
        counts = not_padding(y_true, self.padding_id)
        weights = ops.cast(counts, "float32")
        if sample_weight is not None:
            weights = weights * with_rank(ops.cast(sample_weight, "float32"), len(weights.shape))
            counts = ops.logical_and(counts, ops.not_equal(weights, 0.0))
        # A new tensor, without the mask that `y_pred` may carry, and without what stands in the padding.
        y_pred = ops.where(counts[..., None], ops.cast(y_pred, "float32"), 0.0)
        y_true = ops.where(counts, y_true, 0)
        require_labels(y_true, "y_true", y_pred.shape[-1])
        return super().__call__(y_true, y_pred, weights)

    def call(self, y_true, y_pred):
        V = y_pred.shape[-1]
        truth, others = self._weights(V)
        # Shifted by the greatest: the three terms, each as large as the logits, would cancel in their last digits.
        logits = y_pred - ops.stop_gradient(ops.max(y_pred, axis=-1, keepdims=True))
        losses = ops.logsumexp(logits, axis=-1) - truth * chosen(logits, y_true)
        if others:
            losses = losses - others * ops.sum(logits, axis=-1)
        return nan_unless_label(losses - self._entropy(V), y_true, V)

    def get_config(self):
        return {
            **super().get_config(),
            "smoothing": self.smoothing,
            "variant": self.variant,
            "padding_id": self.padding_id,
        }

    def _weights(self, V):
        """a and b: what the truth weighs more than the others, and what every token weighs."""
        if self.variant == "paper":
            return 1 - self.smoothing, self.smoothing / V
        if V < 2:
            raise ValueError(f"`variant='reference'` needs at least two tokens. Received: {V} logits")
        others = self.smoothing / (V - 1)
        return 1 - self.smoothing - others, others

    def _entropy(self, V):
        """The entropy of the smoothed label, which the reference subtracts."""
        if self.variant == "paper" or not self.smoothing:
            return 0.0
        e = self.smoothing
        return -(1 - e) * math.log(1 - e) - e * math.log(e / (V - 1))


def _require_shapes(y_true, y_pred):
    tokens, logits = tuple(y_true.shape), tuple(y_pred.shape)
    fit = len(logits) == len(tokens) + 1 and all(a == b or None in (a, b) for a, b in zip(tokens, logits))
    if not fit or logits[-1] is None or "int" not in keras.backend.standardize_dtype(y_true.dtype):
        raise ValueError(
            "`y_true` must be integers [B, T] and `y_pred` logits [B, T, V] with a known V. Received: "
            f"y_true.shape={tokens} ({keras.backend.standardize_dtype(y_true.dtype)}), y_pred.shape={logits}"
        )
