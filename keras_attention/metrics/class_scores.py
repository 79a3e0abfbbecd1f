"""Agreement of a classifier's predictions on real images and on their generated counterparts."""

from typing import Any

import keras
import numpy as np

from keras_attention.metrics.host import HostMetric, to_host
from keras_attention.metrics.probabilities import LEAST, require_probabilities, top_classes
from keras_attention.ops.require import require_int, require_rate
from keras_attention.types import Tensor


class _PairedProbabilities(HostMetric):
    """Base class: mean of a value over pairs of predictions for a real and a generated image."""

    def __init__(self, name):
        super().__init__(name=name)
        self.reset_state()

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        self._refuse_weights(sample_weight)
        pair = {name: to_host(x, name) for name, x in (("y_true", y_true), ("y_pred", y_pred))}
        shapes = [x.shape for x in pair.values()]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise ValueError(
                "`y_true` and `y_pred` must be probabilities [B, K] of the same images. "
                f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
            )
        values = self._values(*(require_probabilities(x, name) for name, x in pair.items()))
        if not len(values):
            return
        mean, total = values.mean(), self._count + len(values)
        shift = mean - self._mean
        self._scatter += ((values - mean) ** 2).sum() + shift**2 * self._count * len(values) / total
        self._mean += shift * len(values) / total
        self._count = total

    def reset_state(self) -> None:
        """Removes all samples."""
        self._count, self._mean, self._scatter = 0, 0.0, 0.0

    def _require_samples(self, which="sample"):
        if not self._count:
            raise ValueError(f"{type(self).__name__} needs at least one {which}. Received: none")


@keras.saving.register_keras_serializable(package="keras_attention")
class ClassAgreement(_PairedProbabilities):
    r"""Top-k accuracy of a classifier on generated images, with its top-1 class of the real image as label.

    $$ \frac{1}{|\{i : \max p_i > c\}|} \sum_{i : \max p_i > c} [\mathrm{argmax} \, p_i \in \mathrm{top}_k(\hat p_i)] $$

    "Top-1" and "top-5" in the tables of cross-view synthesis, such as SelectionGAN's ([Tang et al.,
    2019](https://arxiv.org/abs/1904.06807)): over all images, and (second column) over those whose class has a
    probability of more than c = 0.5. Its classifier is an AlexNet with the 365 classes of Places. Of equal
    probabilities the first ranks higher.

    Computed on the host, see `FrechetDistance`.

    Args:
        k: Positive int.
        confidence: Float c in [0, 1): only real images with a maximum probability above c count.
        name: Name of the metric.

    Call arguments:
        y_true: Probabilities [B, K] of real images.
        y_pred: Probabilities [B, K] of their generated counterparts.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If these are not probabilities, or k > K; in `result`, if no image counts; in a compiled step.

    Example: the class of the first image ranks second; that of the other has a probability below 0.5.

    >>> real, generated = np.array([[0.1, 0.6, 0.3], [0.4, 0.3, 0.3]]), np.array([[0.7, 0.2, 0.1], [0.8, 0.1, 0.1]])
    >>> [float(ClassAgreement(k, c)(real, generated)) for k, c in ((1, 0.0), (2, 0.0), (1, 0.5))]
    [0.5, 1.0, 0.0]
    """

    def __init__(self, k: int = 1, confidence: float = 0.0, name: str = "class_agreement") -> None:
        k, confidence = require_int(k, "k"), float(require_rate(confidence, "confidence"))
        super().__init__(name)
        self.k, self.confidence = k, confidence

    def result(self) -> float:
        self._require_samples(f"real image with a probability above {self.confidence}" if self.confidence else "sample")
        return float(self._mean)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k, "confidence": self.confidence}

    def _values(self, y_true, y_pred):
        if self.k > y_true.shape[1]:
            raise ValueError(f"`k` must be at most the number of classes, {y_true.shape[1]}. Received: k={self.k}")
        right = np.take_along_axis(top_classes(y_pred, self.k), y_true.argmax(axis=1)[:, None], axis=1)[:, 0]
        return right[y_true.max(axis=1) > self.confidence].astype("float64")


@keras.saving.register_keras_serializable(package="keras_attention")
class ClassDivergence(_PairedProbabilities):
    r"""KL score: exp of the mean KL divergence between class probabilities of generated and of real images.

    $$ \exp \frac{1}{N} \sum_i \mathrm{KL}(\hat p_i \,\|\, p_i) $$

    The "KL" in the tables of cross-view synthesis, such as SelectionGAN's ([Tang et al.,
    2019](https://arxiv.org/abs/1904.06807)); the number after the plus-minus is `std()`, the standard deviation of the
    divergences themselves, not of their exponentials. The score is 1 if all probabilities are equal. Its classifier is
    an AlexNet with the 365 classes of Places.

    Differs from the published code: probabilities below 1e-9 count as 1e-9, because a single underflow would
    make the score infinite.

    Computed on the host, see `FrechetDistance`.

    Args:
        name: Name of the metric.

    Call arguments:
        y_true: Probabilities [B, K] of real images.
        y_pred: Probabilities [B, K] of their generated counterparts.

    Returns:
        Float of at least 1.

    Raises:
        ValueError: If these are not probabilities; in `result`, without any sample; in a compiled step.

    Example:

    >>> print(f"{float(ClassDivergence()(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]))):.4f}")
    2.0000
    """

    def __init__(self, name: str = "class_divergence") -> None:
        super().__init__(name)

    def result(self) -> float:
        self._require_samples()
        return float(np.exp(self._mean))

    def std(self) -> float:
        """The standard deviation of the divergences, before exp."""
        self._require_samples()
        return float(np.sqrt(self._scatter / self._count))

    def _values(self, y_true, y_pred):
        y_true, y_pred = np.maximum(y_true, LEAST), np.maximum(y_pred, LEAST)
        return (y_pred * np.log(y_pred / y_true)).sum(axis=1)
