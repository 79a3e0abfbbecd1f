"""Reservoir sampling of a stream of features; the kernel distance of two samples."""

import numpy as np


class Reservoir:
    """Uniform random sample of at most `size` rows of a stream (algorithm R of Vitter, 1985).

    Args:
        size: Positive int.
        seed: Seed of `numpy.random.default_rng`.
    """

    def __init__(self, size, seed):
        self.size, self.count, self.kept = size, 0, None
        self._random = np.random.default_rng(seed)

    def update(self, features):
        """Adds the rows of [B, D] to the stream."""
        if not len(features):
            return
        if self.kept is None:
            self.kept = np.empty((self.size, features.shape[1]), features.dtype)
        order = np.arange(self.count, self.count + len(features))
        # Row n is kept with probability size / (n + 1), in a random slot; of two in one slot, the later one.
        slot = np.floor(self._random.random(len(features)) * (order + 1)).astype("int64")
        slot = np.where(order < self.size, order, slot)
        last = {p: i for i, p in enumerate(slot.tolist()) if p < self.size}
        self.kept[list(last)] = features[list(last.values())]
        self.count += len(features)

    @property
    def rows(self):
        """[R, D], R = min(size, count)."""
        return self.kept[: self.count]


def kernel_distance(a, b):
    r"""Unbiased estimate of the squared maximum mean discrepancy with the kernel (x . y / D + 1)^3.

    Args:
        a, b: Float [M, D], at least two rows each.
    """

    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    return within(a) + within(b) - 2 * kernel(a, b).mean()
