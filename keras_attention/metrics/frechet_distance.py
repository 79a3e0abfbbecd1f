"""Frechet distance of real and generated images, "FID" with the features of an Inception network."""

import keras

from keras_attention.metrics.moments import Moments, frechet
from keras_attention.metrics.two_samples import TwoSampleMetric


@keras.saving.register_keras_serializable(package="keras_attention")
class FrechetDistance(TwoSampleMetric):
    r"""Frechet distance of the Gaussians with the means and covariances of real and of generated features.

    $$ \mathrm{FD} = |\mu_r - \mu_g|^2 + \mathrm{Tr}\big(C_r + C_g - 2 (C_r C_g)^{1/2}\big) $$

    "GANs Trained by a Two Time-Scale Update Rule", eq. 6 ([Heusel et al., 2017](https://arxiv.org/abs/1706.08500)),
    with unbiased covariances. Written out, with D features:

        count, mean [D], scatter [D, D]: joined batch by batch, in float64
        C = F F^T from the eigenvectors; Tr (C_r C_g)^(1/2) = sum of the singular values of F_r^T F_g

    Real and generated samples may come together or apart, in any number; D^2 numbers are kept of each, however many
    they are. Fewer samples than features are allowed, but the distance of two finite samples is larger than that of
    what they are drawn from, by about 1/N: compare figures of equal N, and say which. Small samples are the work of
    `KernelDistance`.

    Differs from published figures, with the default extractor: it is `keras.applications.InceptionV3`, and they use the
    TensorFlow graph of 2015. Call the figure by the extractor's name, and compare it with no table. Differs from the
    published code: nothing is added to the diagonals where they are singular.

    Computed on the host: call it in a loop over the data or in a callback. In `compile(metrics=...)` it works only
    where steps are not compiled: with PyTorch, and with TensorFlow and `run_eagerly=True`.

    Args:
        extractor: A Keras model or a function of a NumPy array [B, Y, X, C], which returns [B, D]; `"inception_v3"`,
            see `metrics.inception_v3`, downloaded when the first images come; `None`: the metric is given features.
        name: Name of the metric.

    Call arguments:
        y_true: Real images [B, Y, X, C] (features [B, D] without an extractor), or `None`.
        y_pred: Generated images or their features, any number of them, or `None`.

    Returns:
        Float, not negative.

    Raises:
        ValueError: If features are not [B, D] or not finite; in `result`, with fewer than two samples of a kind; in a
            compiled step.

    Example: shifted by 1 in each of 3 features.

    >>> import numpy as np
    >>> metric = FrechetDistance(extractor=None)
    >>> features = np.random.default_rng(0).standard_normal((50, 3))
    >>> metric.update_real(features)
    >>> metric.update_generated(features[:20] + 1)
    >>> metric.update_generated(features[20:] + 1)
    >>> print(f"{metric.result():.4f}")
    3.0000
    """

    def __init__(self, extractor="inception_v3", name="frechet_distance"):
        super().__init__(extractor, name)

    def result(self):
        self._require_samples()
        return frechet(self._real, self._generated)

    def _gather(self, kind):
        return Moments()
