"""Power iteration in NumPy loops, written from algorithm 1 of "Spectral Normalization for GANs"."""

import numpy as np


def spectral_norm(matrix, u, iterations=1):
    """sigma and the next u of a matrix [I, O] and u [O], in float64."""
    matrix, u = np.asarray(matrix, "f8"), np.asarray(u, "f8")
    rows, columns = range(matrix.shape[0]), range(matrix.shape[1])
    for _ in range(iterations):
        v = np.array([sum(matrix[i, o] * u[o] for o in columns) for i in rows])
        v = v / np.sqrt(sum(x * x for x in v))
        u = np.array([sum(matrix[i, o] * v[i] for i in rows) for o in columns])
        u = u / np.sqrt(sum(x * x for x in u))
    sigma = sum(v[i] * matrix[i, o] * u[o] for i in rows for o in columns)
    return sigma, u
