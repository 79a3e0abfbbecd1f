"""Inception score, Frechet distance, kernel distance and class scores, in loops over all samples."""

import math

import numpy as np


def divergence(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)


def inception_score(probs):
    """probs: [N, K]."""
    marginal = [sum(row[k] for row in probs) / len(probs) for k in range(len(probs[0]))]
    return math.exp(sum(divergence(row, marginal) for row in probs) / len(probs))


def only_top(probs, k):
    """Keeps the top k of each row; the others are 1e-9."""
    kept = np.full(probs.shape, 1e-9)
    for n, row in enumerate(probs):
        for y in sorted(range(len(row)), key=lambda y: -row[y])[:k]:
            kept[n, y] = row[y]
    return kept


def covariance(x):
    """[D, D], unbiased."""
    mean = [sum(column) / len(x) for column in x.T]
    D = x.shape[1]
    result = np.zeros((D, D))
    for i in range(D):
        for j in range(D):
            result[i, j] = sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in x) / (len(x) - 1)
    return result


def frechet(x, y):
    """The Frechet distance, with the trace of the root from the eigenvalues of the product of covariances."""
    a, b = covariance(x), covariance(y)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0))
    shift = sum((u - v) ** 2 for u, v in zip(x.mean(axis=0), y.mean(axis=0)))
    return shift + np.trace(a) + np.trace(b) - 2 * roots.sum()


def kernel(x, y):
    return (sum(a * b for a, b in zip(x, y)) / len(x) + 1) ** 3


def kernel_distance(x, y):
    """x, y: [M, D]."""
    M = len(x)
    same = sum(kernel(z[i], z[j]) for z in (x, y) for i in range(M) for j in range(M) if i != j)
    return same / (M * (M - 1)) - 2 * sum(kernel(a, b) for a in x for b in y) / M**2


def agreement(real, generated, k, confidence):
    """Top-k accuracy on generated images, over real images with a probability above `confidence`."""
    correct = []
    for p, q in zip(real, generated):
        if max(p) > confidence:
            first = sorted(range(len(q)), key=lambda y: -q[y])[:k]
            correct.append(max(range(len(p)), key=lambda y: p[y]) in first)
    return sum(correct) / len(correct)
