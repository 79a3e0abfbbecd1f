"""Image quality metrics against reference images: PSNR, SSIM, sharpness difference."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attention.ops import peak_signal_to_noise_ratio, sharpness_difference, structural_similarity
from keras_attention.ops.image_quality import require_value_range, require_variant
from keras_attention.types import DType, Tensor


class _ImageMean(keras.metrics.Mean):
    """Base class: mean of `_score` over all images, with compensated summation in float32."""

    def __init__(self, value_range, variant, name, dtype):
        require_variant(variant)
        value_range = require_value_range(value_range)
        super().__init__(name=name, dtype=dtype)
        self.value_range = value_range
        self.variant = variant
        # Rounding error of the total (Kahan summation): a million images exceed the precision of float32.
        self.surplus = self.add_variable(shape=(), initializer="zeros", name="surplus")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        scores = ops.cast(self._score(y_true, y_pred, self.value_range, self.variant), self.dtype)
        weights = 1.0 if sample_weight is None else ops.cast(sample_weight, self.dtype)
        weights = ops.broadcast_to(weights, ops.shape(scores))
        added = ops.sum(scores * weights) - self.surplus
        total = self.total + added
        surplus = (total - self.total) - added
        self.surplus.assign(ops.where(ops.isfinite(surplus), surplus, 0.0))
        self.total.assign(total)
        self.count.assign(self.count + ops.sum(weights))

    def reset_state(self) -> None:
        super().reset_state()
        self.surplus.assign(0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "value_range": list(self.value_range),
            "variant": self.variant,
        }


@keras.saving.register_keras_serializable(package="keras_attention")
class PeakSignalToNoiseRatio(_ImageMean):
    r"""Peak signal-to-noise ratio (PSNR) in decibels, averaged over the images.

    $$ \mathrm{PSNR} = 10 \log_{10} \frac{1}{\mathrm{mean}_{yxc} (v_{yxc} - \hat v_{yxc})^2} $$

    with images scaled to [0, 1], see `ops.peak_signal_to_noise_ratio`. For two equal images it is infinite, and so is
    the mean.

    Differs from the published tables, whose values are 5.9866 dB higher; `variant="published"` reproduces them.

    Args:
        value_range: The lowest and the highest value of the images, such as (0, 255).
        variant: `"standard"` or `"published"`.
        name: Name of the metric.
        dtype: Dtype of the metric.

    Call arguments:
        y_true, y_pred: Images [B, Y, X, C].
        sample_weight: Weights [B], or `None`.

    Raises:
        ValueError: If the shapes differ or an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> image = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4, 5, 3))
    >>> for variant in ("standard", "published"):
    ...     print(f"{float(PeakSignalToNoiseRatio(variant=variant)(image, image + 0.02)):.3f}")
    40.000
    45.987
    """

    def __init__(
        self,
        value_range: Sequence[float] = (-1.0, 1.0),
        variant: str = "standard",
        name: str = "psnr",
        dtype: DType | None = None,
    ) -> None:
        super().__init__(value_range, variant, name, dtype)

    def _score(self, *arguments):
        return peak_signal_to_noise_ratio(*arguments)


@keras.saving.register_keras_serializable(package="keras_attention")
class StructuralSimilarity(_ImageMean):
    r"""Structural similarity (SSIM) of local means, contrasts and structures, averaged over the images.

    $$ \mathrm{SSIM} = \mathrm{mean}_{yxc} \frac{(2 \mu \hat\mu + c_1)(2 \sigma_{v \hat v} + c_2)}
       {(\mu^2 + \hat\mu^2 + c_1)(\sigma^2 + \hat\sigma^2 + c_2)} $$

    ([Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)), see `ops.structural_similarity`; 1 for equal images.

    Differs from the published tables, which use the luminance alone and zero padding at the border;
    `variant="published"` reproduces them.

    Args:
        value_range: The lowest and the highest value of the images, such as (0, 255).
        variant: `"standard"` or `"published"`.
        name: Name of the metric.
        dtype: Dtype of the metric.

    Call arguments:
        y_true, y_pred: Images [B, Y, X, C], at least 11 by 11 for the `"standard"` variant.
        sample_weight: Weights [B], or `None`.

    Raises:
        ValueError: If the shapes differ, the images are too small or an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> image = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 14, 15, 3))
    >>> print(f"{float(StructuralSimilarity()(image, image)):.3f}")
    1.000
    """

    def __init__(
        self,
        value_range: Sequence[float] = (-1.0, 1.0),
        variant: str = "standard",
        name: str = "ssim",
        dtype: DType | None = None,
    ) -> None:
        super().__init__(value_range, variant, name, dtype)

    def _score(self, *arguments):
        return structural_similarity(*arguments)


@keras.saving.register_keras_serializable(package="keras_attention")
class SharpnessDifference(_ImageMean):
    r"""Sharpness difference (SD) of the image gradients in decibels, averaged over the images.

    $$ \mathrm{SD} = 10 \log_{10} \frac{1}{\mathrm{mean}_{yxc}
       \big(\big| |\nabla_x v| - |\nabla_x \hat v| \big| + \big| |\nabla_y v| - |\nabla_y \hat v| \big|\big)} $$

    with images scaled to [0, 1], see `ops.sharpness_difference`. Higher is better, in spite of its name.

    Differs from the published tables, whose values are 5.9866 dB higher, and slightly more because the mean counts
    border pixels that the sum omits; `variant="published"` reproduces them.

    Args:
        value_range: The lowest and the highest value of the images, such as (0, 255).
        variant: `"standard"` or `"published"`.
        name: Name of the metric.
        dtype: Dtype of the metric.

    Call arguments:
        y_true, y_pred: Images [B, Y, X, C], at least 3 by 3.
        sample_weight: Weights [B], or `None`.

    Raises:
        ValueError: If the shapes differ, the images are too small or an argument is out of its range.

    Example: equal images give the maximum of the published variant.

    >>> import numpy as np
    >>> image = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4, 5, 3))
    >>> print(f"{float(SharpnessDifference(variant='published')(image, image)):.2f}")
    88.13
    """

    def __init__(
        self,
        value_range: Sequence[float] = (-1.0, 1.0),
        variant: str = "standard",
        name: str = "sharpness_difference",
        dtype: DType | None = None,
    ) -> None:
        super().__init__(value_range, variant, name, dtype)

    def _score(self, *arguments):
        return sharpness_difference(*arguments)
