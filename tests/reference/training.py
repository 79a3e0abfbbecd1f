"""Label smoothing and the learning rate schedule, in NumPy loops from the papers."""

import numpy as np


def smoothed_cross_entropy(targets, logits, smoothing, variant, padding_id=0):
    """List of the losses of all tokens that are not padding."""
    losses = []
    V = logits.shape[-1]
    for position in np.ndindex(*targets.shape):
        truth = targets[position]
        if truth == padding_id:
            continue
        label = np.full(V, smoothing / V if variant == "paper" else smoothing / (V - 1))
        label[truth] = 1 - smoothing + smoothing / V if variant == "paper" else 1 - smoothing
        z = logits[position].astype("float64")
        log_probs = z - z.max() - np.log(np.exp(z - z.max()).sum())
        entropy = -sum(q * np.log(q) for q in label if q > 0) if variant == "reference" else 0.0
        losses.append(-sum(label * log_probs) - entropy)
    return losses


def learning_rate(step, model_dim, warmup):
    return model_dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
