"""ResNets with PyTorch's names and layouts, in NumPy: images [B, C, Y, X], convolutions [out, in, Y, X].

SE-ResNet and CBAM-ResNet as their authors publish them, at inference.
"""

import numpy as np

EPSILON = 1e-5


def convolve(x, kernel, stride=1):
    """Cross-correlation with k // 2 zeros of padding."""
    out, _, k, _ = kernel.shape
    x = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    rows, columns = ((n - k) // stride + 1 for n in x.shape[2:])
    y = np.zeros((len(x), out, rows, columns))
    for i, j in np.ndindex(rows, columns):
        patch = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
        y[:, :, i, j] = patch.reshape(len(x), -1) @ kernel.reshape(out, -1).T
    return y


def normalise(x, w, name):
    mean, variance, gamma, beta = (
        w[f"{name}.{kind}"][:, None, None] for kind in ("running_mean", "running_var", "weight", "bias")
    )
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pool(x, padded):
    """3 x 3 max pooling with stride 2; `padded`: padding 1, else ceil mode without padding."""
    before = 1 if padded else 0
    if padded:
        rows, columns = ((n + 2 - 3) // 2 + 1 for n in x.shape[2:])
    else:
        rows, columns = (-(-(n - 3) // 2) + 1 for n in x.shape[2:])
    y = np.zeros((*x.shape[:2], rows, columns))
    for i, j in np.ndindex(rows, columns):
        top, left = max(0, 2 * i - before), max(0, 2 * j - before)
        y[:, :, i, j] = x[:, :, top : 2 * i - before + 3, left : 2 * j - before + 3].max((2, 3))
    return y


def dense(z, w, name):
    kernel = w[f"{name}.weight"]
    return z @ kernel.reshape(kernel.shape[:2]).T + w.get(f"{name}.bias", 0)


def squeeze_excite(x, w, first, second):
    gates = sigmoid(dense(relu(dense(x.mean((2, 3)), w, first)), w, second))
    return x * gates[:, :, None, None]


def cbam(x, w, name):
    def network(z):
        return dense(relu(dense(z, w, f"{name}.ChannelGate.mlp.1")), w, f"{name}.ChannelGate.mlp.3")

    x = x * sigmoid(network(x.mean((2, 3))) + network(x.max((2, 3))))[:, :, None, None]
    pools = np.stack([x.max(1), x.mean(1)], axis=1)
    logits = convolve(pools, w[f"{name}.SpatialGate.spatial.conv.weight"])
    return x * sigmoid(normalise(logits, w, f"{name}.SpatialGate.spatial.bn"))


def attend(x, w, block):
    """The attention of a block, by the names of its weights."""
    for first, second in (
        (f"{block}.se_module.fc1", f"{block}.se_module.fc2"),
        (f"{block}.se.fc1", f"{block}.se.fc2"),
        (f"{block}.se.fc.0", f"{block}.se.fc.2"),
    ):
        if f"{first}.weight" in w:
            return squeeze_excite(x, w, first, second)
    return cbam(x, w, f"{block}.cbam") if f"{block}.cbam.ChannelGate.mlp.1.weight" in w else x


def residual_block(x, w, name, stride, first_1x1_halves, second_relu=False):
    bottleneck = f"{name}.conv3.weight" in w
    strides = {False: (stride, 1), True: (1, stride, 1)}[bottleneck]
    if bottleneck and first_1x1_halves:
        strides = (stride, 1, 1)
    y = x
    for i, s in enumerate(strides, 1):
        y = normalise(convolve(y, w[f"{name}.conv{i}.weight"], s), w, f"{name}.bn{i}")
        y = relu(y) if i < len(strides) or second_relu else y
    y = attend(y, w, name)
    if f"{name}.downsample.0.weight" in w:
        x = normalise(convolve(x, w[f"{name}.downsample.0.weight"], stride), w, f"{name}.downsample.1")
    return relu(x + y)


def network(x, w, blocks, caffe=False, second_relu=False):
    """Logits of images [B, C, Y, X].

    caffe: names, pool and strides of pretrainedmodels; second_relu: before the gate, as in timm's legacy_seresnet18.
    """
    stem, head = ("layer0.", "last_linear") if caffe else ("", "fc")
    x = relu(normalise(convolve(x, w[f"{stem}conv1.weight"], 2), w, f"{stem}bn1"))
    x = pool(x, padded=not caffe)
    for stage, number in enumerate(blocks, 1):
        for block in range(number):
            stride = 2 if stage > 1 and block == 0 else 1
            x = residual_block(x, w, f"layer{stage}.{block}", stride, caffe, second_relu)
    return dense(x.mean((2, 3)), w, head)
