"""Cross-entropy with label smoothing, padding ignored."""

import math
from typing import Any

import keras
from keras import ops

from keras_attention.ops.labels import nan_unless_label, require_labels
from keras_attention.ops.require import require_choice, require_rate
from keras_attention.ops.runtime.replicas import share
from keras_attention.ops.shapes.known import known_values
from keras_attention.ops.shapes.sizes import chosen, with_rank
from keras_attention.training.padding import not_padding, require_padding_id
from keras_attention.types import Tensor

VARIANTS = ("paper", "reference")


@keras.saving.register_keras_serializable(package="keras_attention")
class LabelSmoothedCrossEntropy(keras.losses.Loss):
    r"""Cross-entropy with label smoothing, padding ignored.

    $$ loss = -\frac{1}{|\{y \ne 0\}|} \sum_{y \ne 0} \sum_v q(v) \log p(v) $$

    with the smoothed label q in one of its two published forms, V the vocabulary:

        "paper":      q = 1 - e + e / V for the label, e / V for the others
        "reference":  q = 1 - e for the label, e / (V - 1) for the others; minus the entropy
                      of q, so that the minimum of the loss is 0

    The first is section 7 of "Rethinking the Inception Architecture"
    ([Szegedy et al., 2015](https://arxiv.org/abs/1512.00567)), which "Attention Is All
    You Need" cites; the second is that paper's published code. q is never built: the
    sum over v is

        a = 1 - e - b, b = e / V  or  e / (V - 1)    ("paper": a = 1 - e)
        losses: [B, T] = logsumexp(logits) - a logits[y] - b sum(logits)

    Computed in float32, whatever the dtype of the logits.

    Masking: positions where `y_true` is `padding_id` or the weight is 0 are ignored, even if
    their logits are NaN; the mean is over the others. The Keras mask of `y_pred` is ignored:
    it is that of the decoder's input, whose start token may be 0.

    Replicas of `tf.distribute`: the mean is over the tokens of all replicas, however unequal their padding.

    Tokens must be from 0 to V - 1; in a compiled step the loss of others is NaN.

    Args:
        smoothing: Float e in [0, 1); 0 is the plain cross-entropy.
        variant: `"paper"` or `"reference"`.
        padding_id: Int, the token of padding; `None` if there is none.
        reduction: `"mean_with_sample_weight"` (the default: the mean without padding, weighted
            by `sample_weight`), `"sum"` or `"none"`.
        name: Optional name.

    Call arguments:
        y_true: Integers [B, T] (any rank).
        y_pred: Logits [B, T, V].
        sample_weight: Weights [B, T] or [B], or `None`.

    Returns:
        Float32 scalar; [B, T] with `reduction="none"`.

    Raises:
        ValueError: If an argument or a token is out of its range, or the shapes do not fit.

    Example: the best prediction has loss 0; the second token is padding.

    >>> import numpy as np
    >>> loss = LabelSmoothedCrossEntropy(smoothing=0.1, variant="reference")
    >>> best = np.log([[[0.05, 0.9, 0.05], [0.3, 0.3, 0.4]]])
    >>> abs(round(float(loss(np.array([[1, 0]]), best)), 6))
    0.0
    """

    def __init__(
        self,
        smoothing: float = 0.1,
        variant: str = "paper",
        padding_id: int | None = 0,
        reduction: str = "mean_with_sample_weight",
        name: str | None = "label_smoothed_cross_entropy",
    ) -> None:
        require_rate(smoothing, "smoothing")
        require_choice(variant, "variant", VARIANTS)
        if reduction not in ("mean_with_sample_weight", "sum", "none", None):
            raise ValueError(
                "`reduction` must be 'mean_with_sample_weight', 'sum' or 'none' (any other mean would count the "
                f"padding). Received: reduction={reduction!r}"
            )
        # Keras casts `y_true` to the dtype of the loss: float32 holds every token id below 2^24.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.smoothing = float(smoothing)
        self.variant = variant
        self.padding_id = require_padding_id(padding_id)

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        _require_shapes(y_true, y_pred)
        counts = not_padding(y_true, self.padding_id)
        weights = ops.cast(counts, "float32")
        if sample_weight is not None:
            weights = weights * with_rank(ops.cast(sample_weight, "float32"), len(weights.shape))
            counts = ops.logical_and(counts, ops.not_equal(weights, 0.0))
        # A new tensor, without the Keras mask of `y_pred` and without the logits of padding.
        y_pred = ops.where(counts[..., None], ops.cast(y_pred, "float32"), 0.0)
        y_true = ops.where(counts, y_true, 0)
        require_labels(y_true, "y_true", y_pred.shape[-1])
        loss = super().__call__(y_true, y_pred, weights)
        return loss * share(ops.sum(weights)) if self.reduction == "mean_with_sample_weight" else loss

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        V = y_pred.shape[-1]
        label, others = self._weights(V)
        # Shifted by the max: the three terms, each as large as the logits, would lose digits by cancellation.
        logits = y_pred - ops.stop_gradient(ops.max(y_pred, axis=-1, keepdims=True))
        losses = ops.logsumexp(logits, axis=-1) - label * chosen(logits, y_true)
        if others:
            losses = losses - others * ops.sum(logits, axis=-1)
        return nan_unless_label(losses - self._entropy(V), y_true, V)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "smoothing": self.smoothing,
            "variant": self.variant,
            "padding_id": self.padding_id,
        }

    def _weights(self, V):
        """a and b: the additional weight of the label, and the weight of every token."""
        if self.variant == "paper":
            return 1 - self.smoothing, self.smoothing / V
        if V < 2:
            raise ValueError(f"`variant='reference'` needs at least two tokens. Received: {V} logits")
        others = self.smoothing / (V - 1)
        return 1 - self.smoothing - others, others

    def _entropy(self, V):
        """The entropy of the smoothed label, which `variant="reference"` subtracts."""
        if self.variant == "paper" or not self.smoothing:
            return 0.0
        e = self.smoothing
        return -(1 - e) * math.log(1 - e) - e * math.log(e / (V - 1))


def _require_shapes(y_true, y_pred):
    tokens, logits = tuple(y_true.shape), tuple(y_pred.shape)
    fit = len(logits) == len(tokens) + 1 and all(a == b or None in (a, b) for a, b in zip(tokens, logits))
    # Where values are not known, they may be the floats by which `tf.distribute` stands in for a batch.
    whole = "int" in keras.backend.standardize_dtype(y_true.dtype) or known_values(y_true) is None
    if not fit or logits[-1] is None or not whole:
        raise ValueError(
            "`y_true` must be integers [B, T] and `y_pred` logits [B, T, V] with a known V. Received: "
            f"y_true.shape={tokens} ({keras.backend.standardize_dtype(y_true.dtype)}), y_pred.shape={logits}"
        )
