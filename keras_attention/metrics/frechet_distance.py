"""Frechet distance (FID) of real and generated images."""

import keras

from keras_attention.metrics.moments import Moments, frechet
from keras_attention.metrics.two_samples import TwoSampleMetric
from keras_attention.types import Extractor


@keras.saving.register_keras_serializable(package="keras_attention")
class FrechetDistance(TwoSampleMetric):
    r"""Frechet distance (FID with Inception features) between real and generated images.

    $$ \mathrm{FD} = |\mu_r - \mu_g|^2 + \mathrm{Tr}\big(C_r + C_g - 2 (C_r C_g)^{1/2}\big) $$

    "GANs Trained by a Two Time-Scale Update Rule", eq. 6 ([Heusel et al., 2017](https://arxiv.org/abs/1706.08500)),
    with unbiased covariances. Written out, with D features:

        count, mean [D], scatter [D, D]: updated batch by batch, in float64
        C = F F^T from the eigenvectors; Tr (C_r C_g)^(1/2) = sum of the singular values of F_r^T F_g

    with the means and covariances of real (r) and generated (g) features. Real and generated samples may be added
    together or separately, in any number; memory is D^2 numbers for each. Fewer samples than features are allowed, but
    the estimate has a positive bias of about 1/N: compare only values of equal N, and report it. For small samples use
    `KernelDistance`.

    Differs from published values with the default extractor: it is `keras.applications.InceptionV3`, they use the
    TensorFlow graph of 2015. Report the extractor's name with the value; it is not comparable with published tables.
    Differs from the published code: nothing is added to the diagonal of singular covariances.

    Computed on the host: call it in a loop over the data or in a callback. In `compile(metrics=...)` it works only
    where steps are not compiled: with PyTorch, and with TensorFlow and `run_eagerly=True`.

    Args:
        extractor: A Keras model or a function of a NumPy array [B, Y, X, C], which returns [B, D]; `"inception_v3"`,
            see `metrics.inception_v3`, downloaded at the first update; `None`: the inputs are features.
        name: Name of the metric.

    Call arguments:
        y_true: Real images [B, Y, X, C] (features [B, D] without an extractor), or `None`.
        y_pred: Generated images or their features, any number, or `None`.

    Returns:
        Float, not negative.

    Raises:
        ValueError: If features are not [B, D] or not finite; in `result`, with fewer than two real or generated
            samples; in a compiled step.

    Example: features shifted by 1 in each of 3 dimensions.

    >>> import numpy as np
    >>> metric = FrechetDistance(extractor=None)
    >>> features = np.random.default_rng(0).standard_normal((50, 3))
    >>> metric.update_real(features)
    >>> metric.update_generated(features[:20] + 1)
    >>> metric.update_generated(features[20:] + 1)
    >>> print(f"{metric.result():.4f}")
    3.0000
    """

    def __init__(self, extractor: Extractor = "inception_v3", name: str = "frechet_distance") -> None:
        super().__init__(extractor, name)

    def result(self) -> float:
        self._require_samples()
        return frechet(self._real, self._generated)

    def _gather(self, kind):
        return Moments()
