"""Base class of metrics that compare real and generated samples."""

from keras_attention.metrics.host import FeatureMetric
from keras_attention.types import Tensor


class TwoSampleMetric(FeatureMetric):
    """Base class of distances between real and generated samples, added together or separately.

    A subclass defines `_gather()`, an empty `Moments` or `Reservoir`, `result()`, and `least`, the minimum number of
    real and of generated samples.
    """

    least = 2

    def __init__(self, extractor, name):
        super().__init__(extractor, name)
        self.reset_state()

    def update_state(self, y_true: Tensor | None, y_pred: Tensor | None, sample_weight: Tensor | None = None) -> None:
        """Adds a batch of real and a batch of generated images, of any sizes; `None` adds nothing."""
        self._refuse_weights(sample_weight)
        if y_true is not None:
            self.update_real(y_true)
        if y_pred is not None:
            self.update_generated(y_pred)

    def update_real(self, images: Tensor) -> None:
        """Adds a batch of real images [B, Y, X, C], or of their features."""
        self._real.update(self.extract(images, "real"))

    def update_generated(self, images: Tensor) -> None:
        """Adds a batch of generated images [B, Y, X, C], or of their features."""
        self._generated.update(self.extract(images, "generated"))

    def reset_state(self) -> None:
        """Removes all samples."""
        super().reset_state()
        self._real = self._gather("real")
        self.reset_generated()

    def reset_generated(self) -> None:
        """Removes the generated samples and keeps the real ones, for another generator or a later step."""
        self._generated = self._gather("generated")

    def _require_samples(self):
        if min(self._real.count, self._generated.count) < self.least:
            raise ValueError(
                f"{type(self).__name__} needs at least {self.least} real and as many generated samples. Received: "
                f"{self._real.count} real, {self._generated.count} generated"
            )
