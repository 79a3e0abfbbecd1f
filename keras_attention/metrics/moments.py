"""Streaming mean and covariance of features, and the Frechet distance of two Gaussians."""

import numpy as np


class Moments:
    """Streaming count, mean and scatter matrix of rows, in float64; memory D^2."""

    def __init__(self):
        self.count = 0
        self.mean = self.scatter = self._factor = None

    def update(self, features):
        """Adds the rows of [B, D], with the update of Chan et al. (1979), which avoids cancellation."""
        if not len(features):
            return
        features = np.asarray(features, "float64")
        if self.mean is None:
            self.mean = np.zeros(features.shape[1])
            self.scatter = np.zeros((features.shape[1],) * 2)
        mean = features.mean(axis=0)
        centred, shift, total = features - mean, mean - self.mean, self.count + len(features)
        self.scatter += centred.T @ centred + np.outer(shift, shift) * (self.count * len(features) / total)
        self.mean = self.mean + shift * (len(features) / total)
        self.count, self._factor = total, None

    @property
    def covariance(self):
        """[D, D], unbiased; needs at least two rows."""
        return self.scatter / (self.count - 1)

    @property
    def factor(self):
        """F [D, R] with F F^T = covariance, R its rank."""
        if self._factor is None:
            values, vectors = np.linalg.eigh(self.covariance)
            # If the rank is less than D, the other eigenvalues are rounding errors, and their square roots large.
            real = values > len(values) * np.finfo("float64").eps * values[-1]
            self._factor = vectors[:, real] * np.sqrt(values[real])
        return self._factor


def frechet(a, b):
    r"""|m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two `Moments`.

    With C_a = F_a F_a^T and C_b = F_b F_b^T, the trace of the root is the sum of the singular values of F_a^T F_b: no
    root of a non-symmetric matrix, nothing added to the diagonal, and correct for any rank.
    """
    overlap = np.linalg.svd(a.factor.T @ b.factor, compute_uv=False).sum()
    distance = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return max(float(distance), 0.0)
