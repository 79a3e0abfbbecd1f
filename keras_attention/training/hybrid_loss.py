"""Hybrid loss of recurrent attention: cross-entropy for the class, REINFORCE for the locations."""

from typing import Any

import keras
from keras import ops

from keras_attention.ops.require import require_number
from keras_attention.training.adversarial_losses import class_cross_entropy
from keras_attention.types import Nest, Tensor

OUTPUTS = ("logits", "log_probs", "baselines")


@keras.saving.register_keras_serializable(package="keras_attention")
class HybridLoss(keras.losses.Loss):
    r"""Cross-entropy of the class plus REINFORCE for the glimpse locations, with a learned baseline.

    $$ loss = - \log p(a^\star) - \lambda \sum_t \log \pi(l_t) \, (R - b_t) + \mu \, \frac{1}{T} \sum_t (R - b_t)^2 $$

    as in "Recurrent Models of Visual Attention", section 3.1 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    Written out, with B batch, T sampled locations:

        reward: [B]    = 1 where the most probable class is the true one, else 0
        gain:   [B, T] = stop_gradient(reward - baselines)
        losses: [B]    = cross_entropy + reinforce_weight * sum over T of (-log_probs * gain)
                         + baseline_weight * mean over T of (reward - baselines)^2

    No gradient flows through the reward, through the baseline in the second term, whose expected gradient does not
    depend on it, or through the locations (`layers.LocationPolicy`). The return is the same at every step, as only the
    last reward is not 0.

    The second term is no measure of quality: evaluate with the accuracy.

    Args:
        reinforce_weight: Float λ of at least 0; 0 for soft glimpses.
        baseline_weight: Float μ of at least 0.
        reduction: See `keras.losses.Loss`; by default the mean over the batch.
        name: Optional name.

    Call arguments:
        y_true: Classes [B], integers from 0 to K - 1. Others are refused; in a compiled step the loss is NaN.
        y_pred: Outputs of `models.RecurrentAttention`.
        sample_weight: Weights [B], or `None`.

    Returns:
        Float32 scalar; [B] with `reduction="none"`.

    Raises:
        ValueError: If `y_pred` lacks an output, `y_true` is not one class for each image, or an argument is out of its
            range.

    Example: a confident correct prediction, and a baseline equal to the reward.

    >>> import numpy as np
    >>> outputs = {"logits": np.array([[50.0, 0.0]]), "log_probs": np.array([[1.3]]), "baselines": np.array([[1.0]])}
    >>> float(HybridLoss()(np.array([0]), outputs))
    0.0
    """

    def __init__(
        self,
        reinforce_weight: float = 1.0,
        baseline_weight: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hybrid_loss",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.reinforce_weight = require_number(reinforce_weight, "reinforce_weight", least=0)
        self.baseline_weight = require_number(baseline_weight, "baseline_weight", least=0)

    def call(self, y_true: Tensor, y_pred: Nest) -> Tensor:
        _require_outputs(y_true, y_pred)
        labels = ops.reshape(y_true, (-1,))
        logits, log_probs, baselines = (y_pred[name] for name in OUTPUTS)
        entropy = class_cross_entropy(labels, logits, "y_true")
        correct = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(labels, "int32"))
        error = ops.cast(correct, baselines.dtype)[:, None] - baselines
        reinforce = ops.sum(-log_probs * ops.stop_gradient(error), axis=-1)
        steps = max(baselines.shape[-1], 1)
        squares = ops.sum(ops.square(error), axis=-1) / steps
        return entropy + self.reinforce_weight * reinforce + self.baseline_weight * squares

    def get_config(self) -> dict[str, Any]:
        own = {"reinforce_weight": self.reinforce_weight, "baseline_weight": self.baseline_weight}
        return {**super().get_config(), **own}


def _require_outputs(y_true, y_pred):
    if not isinstance(y_pred, dict) or not set(OUTPUTS) <= set(y_pred):
        found = sorted(y_pred) if isinstance(y_pred, dict) else type(y_pred).__name__
        raise ValueError(f"`y_pred` must be a dict of {OUTPUTS}. Received: {found}")
    shape = tuple(y_true.shape)
    batch = y_pred["logits"].shape[0]
    one_each = None in (batch, *shape[:1]) or shape[:1] == (batch,)
    if shape[1:] not in ((), (1,)) or not one_each:
        raise ValueError(f"`y_true` must be one class for each image, [{batch or 'B'}]. Received: y_true.shape={shape}")
