"""Class probabilities: validation, top-k classes, random splits of samples."""

import numpy as np

LEAST = 1e-9  # what replaces excluded probabilities in the published scores


def require_probabilities(values, name):
    """Returns [B, K] as float64 rows that sum to 1; raises an error beyond the rounding of half precision."""
    values = np.asarray(values, "float64")
    sums = values.sum(axis=1, keepdims=True)
    if len(values) and not ((values >= 0).all() and (np.abs(sums - 1) < 0.01).all()):
        raise ValueError(
            f"`{name}` must give probabilities: not negative, with the sum 1 (the softmax of logits). Received: values "
            f"from {values.min():.4g} to {values.max():.4g}, sums from {sums.min():.4g} to {sums.max():.4g}"
        )
    return values / sums


def top_classes(probs, k):
    """Boolean [B, K]: the k highest of each row; of equal ones, the first."""
    return np.argsort(np.argsort(-probs, axis=1, kind="stable"), axis=1) < k


def shuffled_parts(number, seed):
    """Yields split indices without end: consecutive random permutations of `range(number)`."""
    random = np.random.default_rng(seed)
    while True:
        yield from random.permutation(number).tolist()
