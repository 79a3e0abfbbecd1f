"""SelectionGAN in NumPy loops, from the paper and its published code. Images are [B, Y, X, C].

Kernels of convolutions are [k, k, in, out], of transposed ones [k, k, out, in].
"""

import math

import numpy as np

EPSILON = 1e-5  # of batch normalization


def resize(images, rows, columns):
    """Bilinear resize with aligned corners."""
    B, Y, X, C = images.shape
    output = np.zeros((B, rows, columns, C))
    for i in range(rows):
        for j in range(columns):
            y = i * (Y - 1) / (rows - 1) if rows > 1 else 0.0
            x = j * (X - 1) / (columns - 1) if columns > 1 else 0.0
            y0, x0 = math.floor(y), math.floor(x)
            y1, x1 = min(y0 + 1, Y - 1), min(x0 + 1, X - 1)
            dy, dx = y - y0, x - x0
            output[:, i, j] = (1 - dy) * ((1 - dx) * images[:, y0, x0] + dx * images[:, y0, x1]) + dy * (
                (1 - dx) * images[:, y1, x0] + dx * images[:, y1, x1]
            )
    return output


def average_pool(x, size):
    """Average pooling without overlap; incomplete windows are dropped."""
    B, Y, X, C = x.shape
    output = np.zeros((B, Y // size, X // size, C))
    for i in range(Y // size):
        for j in range(X // size):
            total = 0.0
            for y in range(size):
                for z in range(size):
                    total = total + x[:, i * size + y, j * size + z]
            output[:, i, j] = total / size**2
    return output


def spatial_pooling(x, sizes, with_features=True):
    parts = [x * resize(average_pool(x, size), *x.shape[1:3]) for size in sizes]
    return np.concatenate(parts + [x] * with_features, axis=-1)


def convolution(x, kernel, bias=None, stride=1, pad=0):
    k, B = kernel.shape[0], x.shape[0]
    padded = np.zeros((B, x.shape[1] + 2 * pad, x.shape[2] + 2 * pad, x.shape[3]))
    padded[:, pad : pad + x.shape[1], pad : pad + x.shape[2]] = x
    Y, X = ((n - k) // stride + 1 for n in padded.shape[1:3])
    output = np.zeros((B, Y, X, kernel.shape[3]))
    for i in range(Y):
        for j in range(X):
            for y in range(k):
                for z in range(k):
                    output[:, i, j] += padded[:, i * stride + y, j * stride + z] @ kernel[y, z]
    return output if bias is None else output + bias


def transposed_convolution(x, kernel, bias=None, stride=2, pad=0):
    """Each position of x adds a k × k patch; `pad` rows and columns are cropped at each border."""
    k, (B, Y, X, _) = kernel.shape[0], x.shape
    canvas = np.zeros((B, (Y - 1) * stride + k, (X - 1) * stride + k, kernel.shape[2]))
    for i in range(Y):
        for j in range(X):
            for y in range(k):
                for z in range(k):
                    canvas[:, i * stride + y, j * stride + z] += x[:, i, j] @ kernel[y, z].T
    output = canvas[:, pad : canvas.shape[1] - pad, pad : canvas.shape[2] - pad]
    return output if bias is None else output + bias


def norm(x, gamma, beta, mean, variance):
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def u_net(x, downs, ups):
    """The image, and the features before the last convolution.

    downs: [(kernel, norm or None)], outermost first. ups: [(kernel, norm)], innermost first, then (kernel, bias).
    """
    skips = []
    for level, (kernel, statistics) in enumerate(downs):
        x = convolution(x if level == 0 else leaky(x), kernel, stride=2, pad=1)
        x = x if statistics is None else norm(x, *statistics)
        skips.append(x)
    skips.pop()
    for kernel, statistics in ups[:-1]:
        x = norm(transposed_convolution(relu(x), kernel, pad=1), *statistics)
        x = np.concatenate([skips.pop(), x], axis=-1)
    features = relu(x)
    kernel, bias = ups[-1]
    return np.tanh(transposed_convolution(features, kernel, bias, pad=1)), features


def selection(features, candidates, attention, uncertainty=None):
    """Returns image, attention, candidates, uncertainty. Each argument but `features`: (kernel, bias)."""
    logits = features @ attention[0] + attention[1]
    M = logits.shape[-1]
    generated = np.tanh(convolution(features, *candidates, pad=candidates[0].shape[0] // 2))
    C = generated.shape[-1] // M
    image, weights = np.zeros((*logits.shape[:-1], C)), np.zeros(logits.shape)
    for position in np.ndindex(logits.shape[:-1]):
        powers = [math.exp(logits[position][m] - max(logits[position])) for m in range(M)]
        for m in range(M):
            weights[position][m] = powers[m] / sum(powers)
            image[position] += weights[position][m] * generated[position][m * C : (m + 1) * C]
    uncertainties = None if uncertainty is None else sigmoid(weights @ uncertainty[0] + uncertainty[1])
    return image, weights, generated.reshape(*generated.shape[:-1], M, C), uncertainties


def second_stage(features, images, pools, enlarge, merge, heads):
    """G_a: `selection` on the features of the U-Nets and the images so far.

    features, images: lists of arrays. enlarge, merge: (kernel, bias). heads: arguments of `selection`.
    """
    x = relu(transposed_convolution(np.concatenate(features, axis=-1), *enlarge))
    x = np.concatenate([x, *images], axis=-1)
    x = convolution(spatial_pooling(x, pools), *merge, pad=1)
    return selection(x, *heads)


def patch_discriminator(x, layers):
    """Logits of patches. layers: [(kernel, bias or None, norm or None)], the last two with a stride of one."""
    for i, (kernel, bias, statistics) in enumerate(layers):
        last = i == len(layers) - 1
        x = convolution(x, kernel, bias, stride=1 if i >= len(layers) - 2 else 2, pad=1)
        x = x if statistics is None else norm(x, *statistics)
        x = x if last else leaky(x)
    return x


def pixel_loss(target, image, uncertainty=None):
    """mean(l / U + log U) + mean l, with l = |target - image|."""
    total = count = 0.0
    for b, y, x, c in np.ndindex(image.shape):
        l = abs(float(target[b, y, x, c]) - float(image[b, y, x, c]))  # noqa: E741
        if uncertainty is not None:
            u = float(uncertainty[b, y, x, 0])
            l += l / u + math.log(u)  # noqa: E741
        total += l
        count += 1
    return total / count


def total_variation(images):
    total = 0.0
    for b, y, x, c in np.ndindex(images.shape):
        if y:
            total += abs(float(images[b, y, x, c]) - float(images[b, y - 1, x, c]))
        if x:
            total += abs(float(images[b, y, x, c]) - float(images[b, y, x - 1, c]))
    return total


def cross_entropy(logits, truth):
    """Mean binary cross-entropy from logits: -log p, or -log(1 - p) where the label is 0."""
    return float(np.mean([-math.log(sigmoid(z) if truth else 1 - sigmoid(z)) for z in np.ravel(logits)]))
