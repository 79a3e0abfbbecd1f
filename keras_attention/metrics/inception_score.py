"""Inception score of generated images."""

from typing import Any

import keras
import numpy as np

from keras_attention.metrics.host import FeatureMetric
from keras_attention.metrics.probabilities import LEAST, require_probabilities, shuffled_parts, top_classes
from keras_attention.ops.require import require_int
from keras_attention.types import Extractor, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class InceptionScore(FeatureMetric):
    r"""Inception score (IS): exp of the mutual information between image and predicted class.

    $$ \mathrm{IS} = \exp \mathbb{E}_x \, \mathrm{KL}\big(p(y|x) \,\|\, p(y)\big), \quad
       p(y) = \mathbb{E}_x \, p(y|x) $$

    "Improved Techniques for Training GANs", section 4 ([Salimans et al., 2016](https://arxiv.org/abs/1606.03498)).
    1 if all images have the same class probabilities, K if every prediction is certain and all K classes are equally
    frequent. It uses generated images only.

    Written out, in float64 and for each split of the samples, with memory independent of the number N of samples:

        counts: [splits], entropies: [splits] = sum over x, y of p log p, marginals: [splits, K] = sum over x of p
        score = exp(entropies / N - sum over y of (marginals / N) log(marginals / N))

    With `splits=10`, as is common, the score is the mean over 10 splits of the samples and `std()` their standard
    deviation; the score has a negative bias, larger for smaller splits. SAGAN's authors used one split of 50,000.

    Differs from the published code: the splits are random and of equal size, not consecutive, so that samples may come
    in any order, such as class by class, and their number need not be known. Differs from published values with the
    default extractor: it is `keras.applications.InceptionV3` with 1000 classes, they use the TensorFlow graph of 2015
    with 1008.

    With `top_k`, only the k highest probabilities of each image count; the others are 1e-9, without renormalization.
    The tables of cross-view synthesis report this ("top-1", "top-5", of a network with the 365 classes of Places).

    Computed on the host: call it in a loop over the data or in a callback, not in `compile(metrics=...)`.

    Args:
        extractor: A Keras model or a function of a NumPy array [B, Y, X, C], which returns probabilities [B, K];
            `"inception_v3"`, see `metrics.inception_v3`, downloaded at the first update; `None`: the inputs
            are probabilities.
        splits: Positive int, number of splits.
        top_k: Positive int, or `None`: all classes count.
        seed: Int, seed of the random splits.
        name: Name of the metric.

    Call arguments:
        images: Generated images [B, Y, X, C], or probabilities [B, K] without an extractor.

    Returns:
        Float; `std()` is the standard deviation over the splits.

    Raises:
        ValueError: If an argument is out of range, or the extractor does not return probabilities (but logits, say); in
            `result`, with fewer samples than splits; in a compiled step.

    Example: certain predictions, all 4 classes equally frequent.

    >>> metric = InceptionScore(extractor=None)
    >>> metric.update_state(np.eye(4))
    >>> print(f"{metric.result():.3f}")
    4.000
    """

    output = "probabilities"

    def __init__(
        self,
        extractor: Extractor = "inception_v3",
        splits: int = 1,
        top_k: int | None = None,
        seed: int = 0,
        name: str = "inception_score",
    ) -> None:
        splits, top_k = require_int(splits, "splits"), require_int(top_k, "top_k", optional=True)
        seed = require_int(seed, "seed", least=0)
        super().__init__(extractor, name)
        self.splits, self.top_k, self.seed = splits, top_k, seed
        self.reset_state()

    def update_state(self, images: Tensor) -> None:
        probs = require_probabilities(self.extract(images, "images"), "images")
        if not len(probs):
            return
        if self._marginals is None:
            self._marginals = np.zeros((self.splits, probs.shape[1]))
        if self.top_k is not None:
            probs = np.where(top_classes(probs, self.top_k), probs, LEAST)
        entropies = (probs * np.log(np.maximum(probs, np.finfo("float64").tiny))).sum(axis=1)
        parts = np.fromiter(self._parts, "int64", len(probs))
        self._counts += np.bincount(parts, minlength=self.splits)
        self._entropies += np.bincount(parts, entropies, self.splits)
        for part in np.unique(parts):
            self._marginals[part] += probs[parts == part].sum(axis=0)

    def split_scores(self) -> np.ndarray:
        """The score of each split, NumPy array [splits]."""
        if self._counts.min() < 1:
            raise ValueError(
                f"InceptionScore needs at least {self.splits} samples, one for each split. "
                f"Received: {self._counts.sum()}"
            )
        marginals = self._marginals / self._counts[:, None]
        logs = np.log(np.maximum(marginals, np.finfo("float64").tiny))
        return np.exp(self._entropies / self._counts - (marginals * logs).sum(axis=1))

    def result(self) -> float:
        return float(self.split_scores().mean())

    def std(self) -> float:
        """The standard deviation of the score over the splits."""
        return float(self.split_scores().std())

    def reset_state(self) -> None:
        """Removes all samples."""
        super().reset_state()
        self._counts, self._entropies = np.zeros(self.splits, "int64"), np.zeros(self.splits)
        self._marginals, self._parts = None, shuffled_parts(self.splits, self.seed)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("splits", "top_k", "seed")}
        return {**super().get_config(), **own}
