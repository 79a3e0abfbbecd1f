"""Kernel distance of real and generated images, "KID" with the features of an Inception network."""

import keras
import numpy as np

from keras_attention.metrics.reservoir import Reservoir, kernel_distance
from keras_attention.metrics.two_samples import TwoSampleMetric
from keras_attention.ops.require import require_int


@keras.saving.register_keras_serializable(package="keras_attention")
class KernelDistance(TwoSampleMetric):
    r"""Squared maximum mean discrepancy of real and generated features under a cubic kernel, without bias.

    $$ \mathrm{KD} = \frac{\sum_{i \ne j} k(x_i, x_j) + \sum_{i \ne j} k(y_i, y_j)}{M (M - 1)}
       - \frac{2 \sum_{ij} k(x_i, y_j)}{M^2}, \quad k(x, y) = \Big(\frac{x \cdot y}{D} + 1\Big)^3 $$

    "Demystifying MMD GANs", section 4 ([Binkowski et al., 2018](https://arxiv.org/abs/1801.01401)): the mean over
    `subsets` pairs of random subsets of M = `subset_size` samples each. Its mean does not depend on the number of
    samples, so that it suits small ones; it may come out below 0.

    Memory: of a stream of any length a uniform sample of at most `max_samples` real and as many generated features is
    kept (algorithm R), `2 max_samples D` numbers; the subsets are drawn from these. A uniform sample of independent
    samples is one of independent samples: the estimate stays unbiased.

    Differs from published figures, with the default extractor: see `FrechetDistance`. Computed on the host, as that.

    Args:
        extractor: As for `FrechetDistance`.
        subsets: Positive int, how many pairs of subsets.
        subset_size: Int of at least 2, M.
        max_samples: Int of at least `subset_size`, how many features are kept of each kind.
        seed: Int, of the subsets and of what is kept.
        name: Name of the metric.

    Call arguments:
        y_true, y_pred: As for `FrechetDistance`.

    Returns:
        Float; `std()` is the standard deviation over the subsets.

    Raises:
        ValueError: If an argument is out of its range, or features are not [B, D] or not finite; in `result`, with
            fewer than `subset_size` samples of a kind; in a compiled step.

    Example: samples of one distribution.

    >>> import numpy as np
    >>> metric = KernelDistance(extractor=None, subsets=50, subset_size=100)
    >>> rng = np.random.default_rng(0)
    >>> metric.update_state(rng.standard_normal((400, 8)), rng.standard_normal((300, 8)))
    >>> abs(metric.result()) < 0.05
    True
    """

    def __init__(
        self,
        extractor="inception_v3",
        subsets=100,
        subset_size=1000,
        max_samples=10_000,
        seed=0,
        name="kernel_distance",
    ):
        self.subsets = require_int(subsets, "subsets")
        self.subset_size = require_int(subset_size, "subset_size", least=2)
        self.max_samples = require_int(max_samples, "max_samples", least=self.subset_size)
        self.seed = require_int(seed, "seed", least=0)
        super().__init__(extractor, name)

    @property
    def least(self):
        """The fewest samples of each kind."""
        return self.subset_size

    def result(self):
        return float(np.mean(self._distances()))

    def std(self):
        """The standard deviation of the estimate over the subsets."""
        return float(np.std(self._distances()))

    def get_config(self):
        own = ("subsets", "subset_size", "max_samples", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _distances(self):
        """The estimate of each pair of subsets; the same ones each time."""
        self._require_samples()
        real, generated = self._real.rows, self._generated.rows
        random = np.random.default_rng(self.seed)
        pairs = (
            [rows[random.choice(len(rows), self.subset_size, replace=False)] for rows in (real, generated)]
            for _ in range(self.subsets)
        )
        return [kernel_distance(*pair) for pair in pairs]

    def _gather(self, kind):
        # Other streams, so that what is kept of one kind does not depend on the other.
        return Reservoir(self.max_samples, (self.seed, ("real", "generated").index(kind)))
