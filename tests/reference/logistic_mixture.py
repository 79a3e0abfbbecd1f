"""The discretized mixture of logistics in loops, from PixelCNN++, section 2: one pixel, one component, one channel."""

import math


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def between(low, high):
    """sigmoid(high) - sigmoid(low) without cancellation: the logistic is symmetric."""
    return sigmoid(-low) - sigmoid(-high) if low > 0 else sigmoid(high) - sigmoid(low)


def unpack(parameters, C, K):
    """[(logit, means, log-scales, {(c, j): coefficient})] of each component."""
    pairs = [(c, j) for c in range(C) for j in range(c)]
    components = []
    for k in range(K):
        mean = parameters[K + k * C : K + (k + 1) * C]
        log_scale = parameters[K + K * C + k * C : K + K * C + (k + 1) * C]
        first = K + 2 * K * C + k * len(pairs)
        raw = dict(zip(pairs, parameters[first : first + len(pairs)], strict=True))
        coefficient = {pair: math.tanh(a) for pair, a in raw.items()}
        components.append((parameters[k], mean, [max(s, -7.0) for s in log_scale], coefficient))
    assert len(parameters) == K * (1 + 2 * C + len(pairs))
    return components


def probability(pixel, parameters, K):
    """P(pixel) for integers 0..255 [C] and parameters [K * (1 + 2 C + C(C-1)/2)]."""
    C = len(pixel)
    x = [2 * v / 255 - 1 for v in pixel]
    components = unpack(parameters, C, K)
    highest = max(logit for logit, *_ in components)
    total = sum(math.exp(logit - highest) for logit, *_ in components)
    p = 0.0
    for logit, means, log_scales, coefficient in components:
        product = math.exp(logit - highest) / total
        for c in range(C):
            mean = means[c] + sum(coefficient[c, j] * x[j] for j in range(c))
            scale = math.exp(log_scales[c])
            low = -math.inf if pixel[c] == 0 else (x[c] - 1 / 255 - mean) / scale
            high = math.inf if pixel[c] == 255 else (x[c] + 1 / 255 - mean) / scale
            product *= between(max(low, -700.0), min(high, 700.0))
        p += product
    return p
