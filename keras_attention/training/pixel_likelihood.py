"""Negative log-likelihood of an autoregressive model of images."""

from typing import Any

import keras
from keras import ops

from keras_attention.ops import pixel_log_prob
from keras_attention.ops.pixels import require_likelihood
from keras_attention.ops.shapes.sizes import with_rank
from keras_attention.types import Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class PixelNegativeLogLikelihood(keras.losses.Loss):
    r"""Negative log-likelihood of images, in nats per dimension (channel of a pixel).

    $$ loss = -\frac{1}{Y X C} \sum_{y, x} \log p(v_{yx} \mid \text{previous pixels}) $$

    Divided by log 2 it is the bits per dimension that papers report (`metrics.BitsPerDim`). Written out, with B batch,
    Y rows, X columns, C channels:

        losses: [B, Y, X] = -pixel_log_prob(images, outputs) / C

    Masking: pixels with a `sample_weight` of 0 are ignored and may have any value (0 is no padding). Other values must
    be from 0 to 255; in a compiled step the loss of others is NaN.

    Args:
        likelihood: `"categorical"`, outputs are logits [B, Y, X, C, 256]; or `"logistic_mixture"`, they are parameters
            [B, Y, X, P] (`ops.logistic_mixture_log_prob`).
        reduction: See `keras.losses.Loss`; by default the mean over all pixels.
        name: Optional name.

    Call arguments:
        y_true: Images [B, Y, X, C], integers from 0 to 255.
        y_pred: Outputs of the model for these pixels.
        sample_weight: Weights [B] or [B, Y, X], or `None`.

    Returns:
        Float32 scalar; [B, Y, X] with `reduction="none"`.

    Example: log 256 for equal logits.

    >>> import numpy as np
    >>> loss = PixelNegativeLogLikelihood()
    >>> print(f"{float(loss(np.zeros((1, 2, 2, 3), 'int32'), np.zeros((1, 2, 2, 3, 256)))):.4f}")
    5.5452
    """

    def __init__(
        self,
        likelihood: str = "categorical",
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "pixel_negative_log_likelihood",
    ) -> None:
        require_likelihood(likelihood)
        # Keras casts `y_true` to the dtype of the loss; bfloat16 does not represent all of 0 to 255.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.likelihood = likelihood

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            # Keras would broadcast weights [B] along the columns.
            sample_weight = with_rank(sample_weight, 3)
            y_true = ops.convert_to_tensor(y_true)
            y_true = ops.where(sample_weight[..., None] == 0, ops.zeros_like(y_true), y_true)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return -pixel_log_prob(y_true, y_pred, self.likelihood) / y_true.shape[-1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "likelihood": self.likelihood}
