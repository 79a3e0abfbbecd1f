"""Token and sequence accuracy, padding ignored."""

from typing import Any

import keras
from keras import ops

from keras_attention.ops.labels import require_labels
from keras_attention.ops.shapes.sizes import with_rank
from keras_attention.training.padding import not_padding, require_padding_id
from keras_attention.types import DType, Tensor


class _Accuracy(keras.metrics.Mean):
    """Base class: the mean of what `score` returns, weighted by `sample_weight`."""

    def __init__(self, padding_id=0, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.padding_id = require_padding_id(padding_id)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        _require_shapes(y_true, y_pred)
        counts = not_padding(y_true, self.padding_id)
        read = counts
        if sample_weight is not None:
            read = ops.logical_and(counts, with_rank(ops.convert_to_tensor(sample_weight), len(counts.shape)) != 0)
        require_labels(ops.where(read, y_true, ops.zeros_like(y_true)), "y_true", y_pred.shape[-1])
        correct = ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), ops.cast(y_true, "int32"))
        correct, counts = self.score(correct, counts)
        weights = ops.cast(counts, "float32")
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")
        return super().update_state(ops.cast(correct, "float32"), weights)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "padding_id": self.padding_id}


def _require_shapes(y_true, y_pred):
    tokens, logits = tuple(y_true.shape), tuple(y_pred.shape)
    if len(logits) != len(tokens) + 1 or any(a != b and None not in (a, b) for a, b in zip(tokens, logits)):
        raise ValueError(
            "`y_true` must be integers [B, T] and `y_pred` logits [B, T, V]. "
            f"Received: y_true.shape={tokens}, y_pred.shape={logits}"
        )


@keras.saving.register_keras_serializable(package="keras_attention")
class TokenAccuracy(_Accuracy):
    """Token accuracy, padding ignored.

    Tokens other than padding must be from 0 to V - 1; in a compiled step, where this is not checked, they are errors.

    Args:
        padding_id: Int, the token of padding; `None` if there is none.
        name: Name of the metric.
        dtype: Dtype of the metric.

    Call arguments:
        y_true: Integers [B, T].
        y_pred: Logits [B, T, V].
        sample_weight: Weights [B, T], or `None`.

    Example: two of three tokens are correct; the last is padding.

    >>> import numpy as np
    >>> metric = TokenAccuracy()
    >>> round(float(metric(np.array([[1, 2, 1, 0]]), np.eye(3)[[[1, 2, 2, 1]]])), 4)
    0.6667
    """

    def __init__(self, padding_id: int | None = 0, name: str = "token_accuracy", dtype: DType | None = None) -> None:
        super().__init__(padding_id, name, dtype)

    def score(self, correct: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        return correct, counts


@keras.saving.register_keras_serializable(package="keras_attention")
class SequenceAccuracy(_Accuracy):
    """Sequence accuracy: the share of sequences without a wrong token, padding ignored, under teacher forcing.

    Tokens other than padding must be from 0 to V - 1; in a compiled step, where this is not checked, they are errors.

    Args:
        padding_id: Int, the token of padding; `None` if there is none.
        name: Name of the metric.
        dtype: Dtype of the metric.

    Call arguments:
        y_true: Integers [B, T]; rows of padding alone are ignored.
        y_pred: Logits [B, T, V].
        sample_weight: Weights [B], or `None`.

    Example: the first sequence is correct up to its padding, the second is not.

    >>> import numpy as np
    >>> metric = SequenceAccuracy()
    >>> float(metric(np.array([[1, 2, 0], [2, 2, 1]]), np.eye(3)[[[1, 2, 2], [2, 1, 1]]]))
    0.5
    """

    def __init__(self, padding_id: int | None = 0, name: str = "sequence_accuracy", dtype: DType | None = None) -> None:
        super().__init__(padding_id, name, dtype)

    def score(self, correct: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        return ops.all(ops.logical_or(correct, ops.logical_not(counts)), axis=-1), ops.any(counts, axis=-1)
