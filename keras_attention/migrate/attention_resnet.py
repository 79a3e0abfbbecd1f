"""Conversion of PyTorch state dicts to `models.AttentionResNet`."""

import re
from typing import Any

import numpy as np

from keras_attention.models import AttentionResNet
from keras_attention.types import Weights

# Other names in some published code, as (pattern, name); all else is as in torchvision and in CBAM's own code.
SPELLINGS = (
    (r"^module\.", ""),  # DataParallel
    (r"^layer0\.", ""),  # stem of pretrainedmodels
    (r"^last_linear\.", "fc."),
    (r"\.se_module\.", ".se."),
    (r"\.se\.fc\.0\.", ".se.fc1."),
    (r"\.se\.fc\.2\.", ".se.fc2."),
)
# Layers of the model and their PyTorch names, as (pattern, name).
LAYERS = (
    (r"^stem_conv", "conv1"),
    (r"^stem_norm", "bn1"),
    (r"^logits", "fc"),
    (r"^stage(\d+)_block(\d+)_", lambda m: f"layer{m[1]}.{int(m[2]) - 1}."),
    (r"\.shortcut_conv$", ".downsample.0"),
    (r"\.shortcut_norm$", ".downsample.1"),
    (r"\.norm(\d)$", r".bn\1"),
    (r"\.attention\.reduce$", ".se.fc1"),
    (r"\.attention\.expand$", ".se.fc2"),
    (r"\.attention\.channel\.reduce$", ".cbam.ChannelGate.mlp.1"),
    (r"\.attention\.channel\.expand$", ".cbam.ChannelGate.mlp.3"),
    (r"\.attention\.spatial\.conv$", ".cbam.SpatialGate.spatial.conv"),
    (r"\.attention\.spatial\.norm$", ".cbam.SpatialGate.spatial.bn"),
)
# What `models.AttentionResNet` lacks, as (pattern of the names, description).
REFUSED = (
    (r"\.se\.conv\.", "efficient channel attention, as timm's ecaresnets have"),
    (r"^conv1\.\d", "a stem of three convolutions, as timm's resnet50d, resnet50t and resnetrs50 have"),
)
KINDS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def attention_resnet(weights: Weights, layout: str | None = None, **kwargs: Any) -> AttentionResNet:
    r"""Converts the state dict of a PyTorch ResNet, SE-ResNet or CBAM-ResNet to a `models.AttentionResNet`.

    All sizes, the attention, its ratio and whether it has biases are inferred from the weights. Supported names:

        ResNet:      torchvision (`layer1.0.conv1.weight`, `layer1.0.downsample.0.weight`, `fc.weight`)
        SE-ResNet:   pretrainedmodels (`layer1.0.se_module.fc1.weight`, `layer0.conv1.weight`, `last_linear.weight`),
                     timm (`layer1.0.se.fc1.weight`; the ratio may differ from stage to stage),
                     senet.pytorch (`layer1.0.se.fc.0.weight`, without biases)
        CBAM-ResNet: its authors (`module.layer1.0.cbam.ChannelGate.mlp.1.weight`,
                     `module.layer1.0.cbam.SpatialGate.spatial.conv.weight`)

    Transposed and renamed:

        convolutions: [out, in, Y, X] -> [Y, X, in, out];  dense: [out, in] or [out, in, 1, 1] -> [in, out]
        batch normalization: weight, bias, running_mean, running_var -> gamma, beta, moving_mean, moving_variance

    The model takes images [B, Y, X, C] with the values that the weights were trained on: RGB in [0, 1], less the mean
    (0.485, 0.456, 0.406) and divided by (0.229, 0.224, 0.225), for all of these.

    Of timm's networks, `resnet18` to `resnet152`, `seresnet18` to `seresnet152` and `legacy_seresnet50` to
    `legacy_seresnet152` are supported. `legacy_seresnet18` and `legacy_seresnet34` have a ReLU between the last
    normalization and the gate, unlike `models.AttentionResNet`, and are refused, as are stems of three convolutions
    (`resnet50d`, `resnet50t`, `resnetrs50`), efficient channel attention, group normalization and grouped convolutions.
    The weights of `resnetaa50`, `resnetblur18` and `resnetblur50` have the names and shapes of ResNets without the
    anti-aliasing of these: they cannot be refused, and the logits differ.

    Which convolution of a stage has stride 2 is not in the weights: see `layout`. Further training differs from
    PyTorch's slightly: its moving variances are unbiased.

    Args:
        weights: `{name: array}`: `{k: v.cpu().numpy() for k, v in net.state_dict().items()}`.
        layout: `"torch"` or `"caffe"`, see `models.AttentionResNet`; `None`: `"caffe"` for the names of
            pretrainedmodels, which are the authors' networks, else `"torch"`.
        **kwargs: Further arguments of `keras.Model`, such as `name` and `dtype`.

    Returns:
        A built `models.AttentionResNet` with these weights.

    Raises:
        ValueError: If a weight is missing, unknown or of another shape than the model's; for weights of a network that
            is not supported.

    Example:

    >>> from keras_attention import migrate, models
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"conv1.weight": (8, 3, 7, 7), "fc.weight": (10, 8), "fc.bias": (10,)}
    >>> sizes |= {f"layer1.0.conv{i}.weight": (8, 8, 3, 3) for i in (1, 2)}
    >>> norms = ("bn1", "layer1.0.bn1", "layer1.0.bn2")
    >>> kinds = ("weight", "bias", "running_mean", "running_var")
    >>> sizes |= {f"{norm}.{kind}": (8,) for norm in norms for kind in kinds}
    >>> sizes |= {"layer1.0.se.fc1.weight": (2, 8, 1, 1), "layer1.0.se.fc2.weight": (8, 2, 1, 1)}
    >>> model = migrate.attention_resnet({name: rng.random(size) for name, size in sizes.items()})
    >>> model.attention, model.attention_kwargs["ratio"], tuple(model(np.ones((2, 32, 32, 3))).shape)
    ('se', 4, (2, 10))
    """
    if not hasattr(weights, "items"):
        raise ValueError(f"`weights` must be a mapping of names to arrays. Received: {type(weights).__name__}")
    if layout is None:
        layout = "caffe" if any(re.match(r"(module\.)?layer0\.", name) for name in weights) else "torch"
    _refuse(weights)
    kept = {name: array for name, array in weights.items() if not name.endswith("num_batches_tracked")}
    arrays = {_renamed(name, SPELLINGS): np.asarray(array) for name, array in kept.items()}
    model = AttentionResNet(**_describe(arrays), layout=layout, **kwargs)
    _fill(model, arrays)
    return model


def _refuse(weights):
    for pattern, description in REFUSED:
        for name in weights:
            if re.search(pattern, name):
                raise ValueError(
                    f"`weights` must not have {description}: `models.AttentionResNet` has none. Received: {name}"
                )
    names = "\n".join(weights)
    if re.search(r"layer\d+\.\d+\.se_module\.", names) and not re.search(r"layer\d+\.\d+\.conv3\.", names):
        raise ValueError(
            "`weights` must not be those of timm's legacy_seresnet18 or legacy_seresnet34 (blocks of two convolutions "
            "with an `se_module`): these have a ReLU before the gate, which `models.AttentionResNet` does not "
            f"have, and would give other logits. Received: {next(name for name in weights if '.se_module.' in name)}"
        )


def _renamed(name, table):
    for pattern, other in table:
        name = re.sub(pattern, other, name)
    return name


def _describe(arrays):
    """The arguments of the model, inferred from the weights."""
    pairs = sorted({(int(s), int(b)) for s, b in re.findall(r"\blayer(\d+)\.(\d+)\.", "\n".join(arrays))})
    blocks = [sum(stage == s for stage, _ in pairs) for s in range(1, len({stage for stage, _ in pairs}) + 1)]
    found = {
        "blocks": blocks,
        "bottleneck": "layer1.0.conv3.weight" in arrays,
        "num_classes": _find(arrays, "fc.weight").shape[0],
        "width": _find(arrays, "conv1.weight").shape[0],
        "input_channels": _find(arrays, "conv1.weight").shape[1],
        "stem": "7x7" if _find(arrays, "conv1.weight").shape[-1] == 7 else "3x3",
    }
    stages = range(1, len(blocks) + 1)
    for name, layer in (("se", "se.fc1"), ("cbam", "cbam.ChannelGate.mlp.1")):
        if f"layer{len(blocks)}.0.{layer}.weight" in arrays:
            sizes = [_find(arrays, f"layer{stage}.0.{layer}.weight").shape[:2] for stage in stages]
            variant = "reference" if f"layer1.0.{layer}.bias" in arrays else "paper"
            found |= {"attention": name, "attention_kwargs": {"ratio": _ratio(sizes), "variant": variant}}
    return found


def _ratio(sizes):
    """One ratio for all (hidden, channels), or one for each stage: timm rounds hidden sizes to multiples of 8."""
    ratios = [channels // hidden for hidden, channels in sizes]
    for ratio in ratios:
        if ratio and all(channels // ratio == hidden for hidden, channels in sizes):
            return ratio
    return ratios


def _fill(model, arrays):
    """Assigns each array to its variable; raises an error for missing and for unknown arrays."""
    left, values = set(arrays), []
    for variable in model.weights:
        name = _published(variable.path)
        array = _turned(_find(arrays, name), len(variable.shape))
        if array.shape != tuple(variable.shape):
            raise ValueError(f"`{name}` must fit {tuple(variable.shape)}. Received: {arrays[name].shape}")
        left.discard(name)
        values.append(array)
    if left:
        raise ValueError(f"`weights` must only contain weights of the model. Received: {', '.join(sorted(left))}")
    model.set_weights(values)


def _published(path):
    """`stage1_block2_conv1/kernel` -> `layer1.1.conv1.weight`."""
    *layers, kind = re.search(r"(stem_|stage\d+_|logits).*", path)[0].split("/")
    return f"{_renamed('.'.join(layers), LAYERS)}.{KINDS[kind]}"


def _turned(array, axes):
    """Transposes from PyTorch's order of axes to Keras's."""
    if array.ndim == 4 and axes == 4:
        return array.transpose(2, 3, 1, 0)
    return array.reshape(array.shape[:2]).T if axes == 2 else array


def _find(arrays, name):
    if name not in arrays:
        raise ValueError(f"`weights` must have a `{name}`. Received: {', '.join(sorted(arrays))}")
    return arrays[name]
