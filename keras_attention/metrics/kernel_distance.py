"""Kernel distance (KID) of real and generated images."""

from typing import Any

import keras
import numpy as np

from keras_attention.metrics.reservoir import Reservoir, kernel_distance
from keras_attention.metrics.two_samples import TwoSampleMetric
from keras_attention.ops.require import require_int
from keras_attention.types import Extractor


@keras.saving.register_keras_serializable(package="keras_attention")
class KernelDistance(TwoSampleMetric):
    r"""Kernel distance (KID with Inception features): unbiased squared maximum mean discrepancy, cubic kernel.

    $$ \mathrm{KD} = \frac{\sum_{i \ne j} k(x_i, x_j) + \sum_{i \ne j} k(y_i, y_j)}{M (M - 1)}
       - \frac{2 \sum_{ij} k(x_i, y_j)}{M^2}, \quad k(x, y) = \Big(\frac{x \cdot y}{D} + 1\Big)^3 $$

    "Demystifying MMD GANs", section 4 ([Binkowski et al., 2018](https://arxiv.org/abs/1801.01401)): the mean over
    `subsets` pairs of random subsets of M = `subset_size` samples each. The estimate is unbiased, also for small
    samples, and may be negative.

    Memory: `2 max_samples D` numbers, from reservoir sampling (algorithm R) of real and of generated features; the
    subsets are sampled from these. A uniform subsample of independent samples is independent: the estimate stays
    unbiased.

    Differs from published values with the default extractor, and is computed on the host: see `FrechetDistance`.

    Args:
        extractor: As for `FrechetDistance`.
        subsets: Positive int, number of pairs of subsets.
        subset_size: Int of at least 2, M.
        max_samples: Int of at least `subset_size`, size of each of the two reservoirs.
        seed: Int, seed of the subsets and the reservoirs.
        name: Name of the metric.

    Call arguments:
        y_true, y_pred: As for `FrechetDistance`.

    Returns:
        Float; `std()` is the standard deviation over the subsets.

    Raises:
        ValueError: If an argument is out of range, or features are not [B, D] or not finite; in `result`, with
            fewer than `subset_size` real or generated samples; in a compiled step.

    Example: two samples of one distribution.

    >>> import numpy as np
    >>> metric = KernelDistance(extractor=None, subsets=50, subset_size=100)
    >>> rng = np.random.default_rng(0)
    >>> metric.update_state(rng.standard_normal((400, 8)), rng.standard_normal((300, 8)))
    >>> abs(metric.result()) < 0.05
    True
    """

    def __init__(
        self,
        extractor: Extractor = "inception_v3",
        subsets: int = 100,
        subset_size: int = 1000,
        max_samples: int = 10_000,
        seed: int = 0,
        name: str = "kernel_distance",
    ) -> None:
        self.subsets = require_int(subsets, "subsets")
        self.subset_size = require_int(subset_size, "subset_size", least=2)
        self.max_samples = require_int(max_samples, "max_samples", least=self.subset_size)
        self.seed = require_int(seed, "seed", least=0)
        super().__init__(extractor, name)

    @property
    def least(self) -> int:
        """The minimum number of real and of generated samples."""
        return self.subset_size

    def result(self) -> float:
        return float(np.mean(self._distances()))

    def std(self) -> float:
        """The standard deviation of the estimate over the subsets."""
        return float(np.std(self._distances()))

    def get_config(self) -> dict[str, Any]:
        own = ("subsets", "subset_size", "max_samples", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _distances(self):
        """The estimate of each pair of subsets, the same subsets in every call."""
        self._require_samples()
        real, generated = self._real.rows, self._generated.rows
        random = np.random.default_rng(self.seed)
        pairs = (
            [rows[random.choice(len(rows), self.subset_size, replace=False)] for rows in (real, generated)]
            for _ in range(self.subsets)
        )
        return [kernel_distance(*pair) for pair in pairs]

    def _gather(self, kind):
        # Separate random streams, so that neither reservoir depends on the other.
        return Reservoir(self.max_samples, (self.seed, ("real", "generated").index(kind)))
