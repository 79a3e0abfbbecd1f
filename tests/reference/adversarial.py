"""Adversarial training of two linear networks in NumPy; power iteration; the Frechet distance."""

import numpy as np

SLOPES = {  # derivatives of the losses: discriminator on real and on generated logits, generator
    "hinge": (lambda a: -1.0 * (a < 1), lambda b: 1.0 * (b > -1), lambda b: -1.0),
    "bce": (lambda a: -1 / (1 + np.exp(a)), lambda b: 1 / (1 + np.exp(-b)), lambda b: -1 / (1 + np.exp(b))),
    "kl": (lambda a: -1 / (1 + np.exp(a)), lambda b: 1 / (1 + np.exp(-b)), lambda b: -1.0),
}


class Linear:
    """G(z) = z W, D(x) = x w; plain gradient descent, sample by sample. decay: factor of the L2 gradient."""

    def __init__(self, W, w, rates, loss="hinge", average_decay=0.5, decay=0.0):
        self.W, self.w = W.astype("float64"), w.astype("float64")[:, 0]
        self.mean = self.W.copy()
        self.rates, self.slopes, self.average_decay, self.decay = rates, SLOPES[loss], average_decay, decay
        self.steps = 0

    def step(self, real, noise):
        """One update of D for each of `real` and `noise`, then one of G. Returns the mean logits of D's updates."""
        logits = {"real_logits": [], "fake_logits": []}
        for images, z in zip(real, noise):
            gradient = self.decay * self.w
            for x in images:
                gradient = gradient + self.slopes[0](x @ self.w) * x / len(images)
                logits["real_logits"].append(x @ self.w)
            for row in z:
                fake = row @ self.W
                gradient = gradient + self.slopes[1](fake @ self.w) * fake / len(z)
                logits["fake_logits"].append(fake @ self.w)
            self.w = self.w - self.rates[1] * gradient
        gradient = self.decay * self.W
        for row in noise[-1]:
            gradient = gradient + self.slopes[2](row @ self.W @ self.w) * np.outer(row, self.w) / len(noise[-1])
        self.W = self.W - self.rates[0] * gradient
        decay = min(self.average_decay, (1 + self.steps) / (10 + self.steps))
        self.mean = decay * self.mean + (1 - decay) * self.W
        self.steps += 1
        return {name: np.mean(values) for name, values in logits.items()}


def power_iteration(kernel, u):
    """One step towards the left singular vector of [I, O], from u [O]."""
    v = kernel @ u
    v = v / np.linalg.norm(v)
    u = kernel.T @ v
    return u / np.linalg.norm(u)


def frechet(a, b):
    """The Frechet distance of two samples with Gaussian moments."""
    (mean_a, A), (mean_b, B) = ((x.mean(0), np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(A)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(root @ B @ root), 0, None)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(A) + np.trace(B) - 2 * overlap)
