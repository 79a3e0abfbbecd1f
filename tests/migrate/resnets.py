"""Random state dicts with the names and shapes of published PyTorch ResNets."""

import numpy as np

KINDS = ("weight", "bias", "running_mean", "running_var")


def se_module(block, C, r):
    """pretrainedmodels: 1 x 1 convolutions with biases."""
    return {
        f"{block}.se_module.fc1.weight": (C // r, C, 1, 1),
        f"{block}.se_module.fc1.bias": (C // r,),
        f"{block}.se_module.fc2.weight": (C, C // r, 1, 1),
        f"{block}.se_module.fc2.bias": (C,),
    }


def se_timm(block, C, r):
    return {name.replace("se_module", "se"): shape for name, shape in se_module(block, C, r).items()}


def se_timm_rounded(block, C, r):
    """timm's smaller networks: hidden sizes are C / r, rounded to multiples of 8, at least 8."""
    hidden = max(8, int(C / r + 4) // 8 * 8)
    weights = se_timm(block, C, r)
    return {name: tuple(hidden if n == C // r else n for n in shape) for name, shape in weights.items()}


def se_linear(block, C, r):
    """senet.pytorch: dense layers without biases."""
    return {f"{block}.se.fc.0.weight": (C // r, C), f"{block}.se.fc.2.weight": (C, C // r)}


def cbam(block, C, r):
    gate = f"{block}.cbam.SpatialGate.spatial"
    return {
        f"{block}.cbam.ChannelGate.mlp.1.weight": (C // r, C),
        f"{block}.cbam.ChannelGate.mlp.1.bias": (C // r,),
        f"{block}.cbam.ChannelGate.mlp.3.weight": (C, C // r),
        f"{block}.cbam.ChannelGate.mlp.3.bias": (C,),
        f"{gate}.conv.weight": (1, 2, 7, 7),
        **norm(f"{gate}.bn", 1),
    }


def plain(block, C, r):
    return {}


def norm(name, C):
    return {**{f"{name}.{kind}": (C,) for kind in KINDS}, f"{name}.num_batches_tracked": ()}


def shapes(blocks, width, bottleneck=True, attention=plain, ratio=4, classes=10, caffe=False):
    """{name: shape} of a network."""
    stem, head = ("layer0.", "last_linear") if caffe else ("", "fc")
    found = {f"{stem}conv1.weight": (width, 3, 7, 7), **norm(f"{stem}bn1", width)}
    inward = width
    for stage, number in enumerate(blocks, 1):
        inner = width * 2 ** (stage - 1)
        outer = inner * (4 if bottleneck else 1)
        for i in range(number):
            name = f"layer{stage}.{i}"
            kernels = [(inner, 1), (inner, 3), (outer, 1)] if bottleneck else [(inner, 3), (outer, 3)]
            channels = inward
            for j, (out, k) in enumerate(kernels, 1):
                found |= {f"{name}.conv{j}.weight": (out, channels, k, k), **norm(f"{name}.bn{j}", out)}
                channels = out
            if i == 0 and (stage > 1 or inward != outer):
                found |= {f"{name}.downsample.0.weight": (outer, inward, 1, 1), **norm(f"{name}.downsample.1", outer)}
            found |= attention(name, outer, ratio)
            inward = outer
    return found | {f"{head}.weight": (classes, inward), f"{head}.bias": (classes,)}


def images(rows=9, columns=12):
    """Noise: [B, Y, X, 3]."""
    return np.random.RandomState(5).standard_normal((2, rows, columns, 3)).astype("float32")


def weights(seed=0, **sizes):
    """Random weights of a network."""
    return fill(shapes(**sizes), seed)


def fill(shapes, seed=0):
    """Random weights of these shapes, whose scale keeps activations small over many layers.

    `RandomState` has a fixed stream: stored logits depend on it.
    """
    rng, arrays = np.random.RandomState(seed), {}
    for name, shape in shapes.items():
        noise = rng.standard_normal(shape)
        if len(shape) > 1:
            noise *= (2 / np.prod(shape[1:])) ** 0.5
        elif name.endswith("running_var"):
            noise = 0.5 + rng.random_sample(shape)
        elif name.endswith(("bn1.weight", "bn2.weight", "bn3.weight")):
            noise = 0.3 + 0.4 * rng.random_sample(shape)  # small, so that 50 blocks remain well-conditioned
        arrays[name] = np.array(7) if name.endswith("tracked") else np.asarray(noise, "float32")
    return arrays
