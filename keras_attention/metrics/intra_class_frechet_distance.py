"""Intra-class Frechet distance (intra-FID) of real and generated images."""

from typing import Any

import keras
import numpy as np

from keras_attention.metrics.host import FeatureMetric, to_host
from keras_attention.metrics.moments import Moments, frechet
from keras_attention.ops.require import require_int
from keras_attention.types import Extractor, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class IntraClassFrechetDistance(FeatureMetric):
    r"""Intra-class Frechet distance (intra-FID): Frechet distance per class, averaged over the classes.

    $$ \mathrm{intraFD} = \frac{1}{K} \sum_c \mathrm{FD}\big(\{x : y(x) = c\}, \{G(z, c)\}\big) $$

    "cGANs with Projection Discriminator", section 4.1 ([Miyato and Koyama,
    2018](https://arxiv.org/abs/1802.05637)), also reported by SAGAN. It detects images of the wrong class and mode
    collapse within a class, which `FrechetDistance` may not.

    Memory: mean and covariance of each class, real and generated, 2 K D^2 numbers in float64; 67 MB per class for 2048
    features. With many features and many classes, compute a `FrechetDistance` class by class and average.

    The estimate has a positive bias of about 1/N for N samples of a class: report N with the value. Differs from
    published values with the default extractor, and is computed on the host: see `FrechetDistance`.

    Args:
        num_classes: Positive int, K.
        extractor: As for `FrechetDistance`.
        name: Name of the metric.

    Call arguments:
        y_true: Real images [B, Y, X, C] (features [B, D] without an extractor).
        y_pred: Generated images or their features, of the same number.
        label: Integers [B] in [0, K), the class of both. `update_real` and `update_generated` add one of them.

    Returns:
        Float; `per_class()` is the distance of each class, [K].

    Raises:
        ValueError: If a label is out of range, or features are not [B, D] or not finite; in `result`, if a class has
            fewer than two real or generated samples; in a compiled step.

    Example: features of class 1 shifted by 1 in each of 3 dimensions.

    >>> metric = IntraClassFrechetDistance(2, extractor=None)
    >>> features, label = np.random.default_rng(0).standard_normal((50, 3)), np.arange(50) % 2
    >>> metric.update_state(features, features + label[:, None], label)
    >>> np.round(metric.per_class(), 4).tolist(), round(metric.result(), 4)
    ([0.0, 3.0], 1.5)
    """

    def __init__(
        self, num_classes: int, extractor: Extractor = "inception_v3", name: str = "intra_class_frechet_distance"
    ) -> None:
        num_classes = require_int(num_classes, "num_classes")
        super().__init__(extractor, name)
        self.num_classes = num_classes
        self.reset_state()

    def update_state(self, y_true: Tensor, y_pred: Tensor, label: Tensor) -> None:
        self.update_real(y_true, label)
        self.update_generated(y_pred, label)

    def update_real(self, images: Tensor, label: Tensor) -> None:
        """Adds a batch of real images [B, Y, X, C], or of their features, with class labels [B]."""
        self._update(self._real, images, label, "real")

    def update_generated(self, images: Tensor, label: Tensor) -> None:
        """Adds a batch of generated images [B, Y, X, C], or of their features, with class labels [B]."""
        self._update(self._generated, images, label, "generated")

    def per_class(self) -> np.ndarray:
        """The distance of each class, NumPy array [K]."""
        few = [c for c in range(self.num_classes) if min(self._real[c].count, self._generated[c].count) < 2]
        if few:
            counts = (f"class {c}: {self._real[c].count} real, {self._generated[c].count} generated" for c in few[:5])
            raise ValueError(
                "IntraClassFrechetDistance needs at least 2 real and as many generated samples of each class. "
                f"Received: {'; '.join(counts)}{f' and {len(few) - 5} classes more' if len(few) > 5 else ''}"
            )
        return np.array([frechet(self._real[c], self._generated[c]) for c in range(self.num_classes)])

    def result(self) -> float:
        return float(self.per_class().mean())

    def reset_state(self) -> None:
        """Removes all samples."""
        super().reset_state()
        self._real = [Moments() for _ in range(self.num_classes)]
        self.reset_generated()

    def reset_generated(self) -> None:
        """Removes the generated samples and keeps the real ones, for another generator or a later step."""
        self._generated = [Moments() for _ in range(self.num_classes)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}

    def _update(self, moments, images, label, name):
        features, label = self.extract(images, name), to_host(label, "label", as_floats=False)
        K = self.num_classes
        integers = label.shape == (len(features),) and np.issubdtype(label.dtype, np.integer)
        if not integers or (label.size and not 0 <= label.min() <= label.max() < K):
            received = f"from {label.min()} to {label.max()}" if integers else f"{label.dtype} of shape {label.shape}"
            raise ValueError(
                f"`label` must be integers [B] in [0, {K}), one of each sample. Received: {received}, "
                f"{len(features)} samples"
            )
        for c in np.unique(label):
            moments[c].update(features[label == c])
