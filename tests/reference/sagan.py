"""SAGAN in NumPy loops, one image at a time, written from the paper and its tables."""

import numpy as np


def softmax(row):
    e = np.exp(row - row.max())
    return e / e.sum()


def max_pool(image):
    """[Y, X, C] -> [Y // 2, X // 2, C]; an odd last row or column is dropped."""
    Y, X, C = image.shape
    pooled = np.zeros((Y // 2, X // 2, C))
    for y in range(Y // 2):
        for x in range(X // 2):
            pooled[y, x] = image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].reshape(4, C).max(0)
    return pooled


def self_attention(image, query, key, value, out, gamma, pool, real=None):
    """y [Y, X, C] and the attention map [Y X, S] of one image; True in `real` [Y, X] marks positions that take part."""
    Y, X, _ = image.shape
    real = np.ones((Y, X), bool) if real is None else real
    x = np.where(real[..., None], image.astype("f8"), 0.0)
    positions = [(a, b) for a in range(Y) for b in range(X)]
    if pool:
        low = np.where(real[..., None], 0.0, -1e9)
        keys, values = max_pool(x @ key + low), max_pool(x @ value + low)
        seen = [(a, b) for a in range(Y // 2) for b in range(X // 2)]
        there = [real[2 * a : 2 * a + 2, 2 * b : 2 * b + 2].any() for a, b in seen]
    else:
        keys, values, seen = x @ key, x @ value, positions
        there = [real[p] for p in positions]
    output, maps = np.zeros(image.shape), np.zeros((len(positions), len(seen)))
    for i, p in enumerate(positions):
        kept = [j for j in range(len(seen)) if there[j]]
        if real[p] and kept:
            maps[i, kept] = softmax(np.array([x[p] @ query @ keys[seen[j]] for j in kept]))
            mixed = sum(maps[i, j] * values[seen[j]] for j in kept)
            output[p] = x[p] + gamma * mixed @ out
    return output, maps


def conv(image, kernel, bias):
    """Convolution of odd kernel size with `same` padding."""
    k = kernel.shape[0]
    padded = np.pad(image, ((k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    output = np.zeros((*image.shape[:2], kernel.shape[-1])) + bias
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for dy in range(k):
                for dx in range(k):
                    output[y, x] += padded[y + dy, x + dx] @ kernel[dy, dx]
    return output


def twice(image):
    return np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)


def half(image):
    Y, X, C = image.shape
    return image.reshape(Y // 2, 2, X // 2, 2, C).mean((1, 3))


def relu(x):
    return np.maximum(x, 0)


def generate(noise, label, weights, blocks, attention_at):
    """Generates one image. `weights[name]`: weights of a layer, kernels divided by their spectral norm."""

    def normalise(x, name):
        gamma, beta, mean, variance = weights[name]
        if gamma.ndim == 2:
            gamma, beta = gamma[label], beta[label]
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    kernel, bias = weights["first"]
    x = (noise @ kernel + bias).reshape(4, 4, -1)
    for b in range(1, blocks + 1):
        y = conv(twice(relu(normalise(x, f"block{b}_norm1"))), *weights[f"block{b}_conv1"])
        y = conv(relu(normalise(y, f"block{b}_norm2")), *weights[f"block{b}_conv2"])
        x = conv(twice(x), *weights[f"block{b}_shortcut"]) + y
        if len(x) == attention_at:
            x, _ = self_attention(x, *weights[f"block{b}_attention"], pool=True)
    return np.tanh(conv(relu(normalise(x, "last_norm")), *weights["last_conv"]))


def judge(image, label, weights, blocks, attention_at):
    """The logit of the projection discriminator, and its features h."""
    y = conv(relu(conv(image, *weights["block1_conv1"])), *weights["block1_conv2"])
    x = conv(half(image), *weights["block1_shortcut"]) + half(y)
    for b in range(1, blocks + 1):
        if b > 1:
            y = conv(relu(x), *weights[f"block{b}_conv1"])
            y = conv(relu(y), *weights[f"block{b}_conv2"])
            x = x + y if b == blocks else half(conv(x, *weights[f"block{b}_shortcut"])) + half(y)
        if b < blocks and len(x) == attention_at:
            x, _ = self_attention(x, *weights[f"block{b}_attention"], pool=True)
    h = relu(x).sum((0, 1))
    kernel, bias, table = weights["logits"]
    return h @ kernel[:, 0] + bias[0] + h @ table[label], h
