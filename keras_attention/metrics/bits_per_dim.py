"""Bits per dimension of an image model."""

import math
from typing import Any

import keras
from keras import ops

from keras_attention.ops import pixel_log_prob
from keras_attention.ops.pixels import require_likelihood
from keras_attention.ops.shapes.sizes import with_rank
from keras_attention.types import DType, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class BitsPerDim(keras.metrics.Mean):
    r"""Bits per dimension: negative log-likelihood of images, in bits per channel of a pixel.

    $$ \mathrm{bits/dim} = -\frac{1}{Y X C} \sum_{y, x} \log_2 p(v_{yx} \mid \text{pixels before}) $$

    as "Image Transformer" ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)) and the models before it report
    it; 8 for a uniform distribution. The mean runs over all pixels of all batches. Values with a weight other than 0
    must be from 0 to 255; in a compiled step, where values cannot be checked, others make the mean NaN.

    Args:
        likelihood: `"categorical"` or `"logistic_mixture"`, see `training.PixelNegativeLogLikelihood`.
        name: Name of the metric.
        dtype: Dtype of the metric.

    Call arguments:
        y_true: Images [B, Y, X, C], integers from 0 to 255.
        y_pred: Logits [B, Y, X, C, 256] or parameters [B, Y, X, P].
        sample_weight: Weights [B] or [B, Y, X], or `None`.

    Example:

    >>> import numpy as np
    >>> metric = BitsPerDim()
    >>> print(f"{float(metric(np.zeros((1, 2, 2, 3), 'int32'), np.zeros((1, 2, 2, 3, 256)))):.4f}")
    8.0000
    """

    def __init__(self, likelihood: str = "categorical", name: str = "bits_per_dim", dtype: DType | None = None) -> None:
        require_likelihood(likelihood)
        super().__init__(name=name, dtype=dtype)
        self.likelihood = likelihood

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        y_true = ops.convert_to_tensor(y_true)
        if sample_weight is not None:  # broadcast to the pixels, so that the weight of an image holds for each of them
            weights = with_rank(ops.cast(sample_weight, self.dtype), len(y_true.shape) - 1)
            sample_weight = ops.broadcast_to(weights, ops.shape(y_true)[:-1])
            y_true = ops.where(sample_weight[..., None] == 0, ops.zeros_like(y_true), y_true)
        bits = pixel_log_prob(y_true, y_pred, self.likelihood) / (-math.log(2.0) * y_true.shape[-1])
        return super().update_state(bits, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "likelihood": self.likelihood}
