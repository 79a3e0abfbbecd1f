"""Samples with known moments, and probabilities."""

import numpy as np


def with_moments(rng, N, mean, covariance):
    """[N, D] with exactly this mean and unbiased covariance."""
    x = rng.standard_normal((N, len(mean)))
    x = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(x.T @ x / (N - 1))
    white = x @ (vectors / np.sqrt(values)) @ vectors.T
    return white @ np.linalg.cholesky(covariance).T + mean


def probabilities(rng, N, K, dtype="float64"):
    logits = 2 * rng.standard_normal((N, K))
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(dtype)
