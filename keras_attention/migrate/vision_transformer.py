"""Conversion of PyTorch state dicts to `models.VisionTransformer`."""

import math
import re
from collections.abc import Sequence
from typing import Any

from keras_attention.migrate.filling import (
    by_path,
    count_blocks,
    fill,
    find,
    path_in_model,
    require_mapping,
    shape_at,
)
from keras_attention.models import VisionTransformer
from keras_attention.types import Weights

# Published names -> paths in the model: of transformers (older, newer), timm and torchvision (older, newer).
PREFIXES = re.compile(r"^(module\.)?(vit\.)?(embeddings\.)?")
BLOCK = re.compile(r"^(?:encoder\.layer\.|encoder\.layers\.encoder_layer_|layers\.|blocks\.)(\d+)\.(.+)$")
ARRAYS = {
    **dict.fromkeys(("cls_token", "class_token"), "class_token/token"),
    **dict.fromkeys(("position_embeddings", "pos_embed", "encoder.pos_embedding"), "positions/table"),
}
LAYERS = {
    **dict.fromkeys(("patch_embeddings.projection", "patch_embed.proj", "conv_proj"), "patches/projection"),
    **dict.fromkeys(("layernorm", "norm", "encoder.ln"), "norm"),
    **dict.fromkeys(("pooler.dense", "pre_logits.fc", "heads.pre_logits"), "representation"),
    **dict.fromkeys(("classifier", "head", "heads.head"), "logits"),
}
OF_BLOCKS = {
    **dict.fromkeys(("layernorm_before", "norm1", "ln_1"), "self_attention_norm"),
    **{f"attention.attention.{name}": f"self_attention/{name}" for name in ("query", "key", "value")},
    **{f"attention.{name[0]}_proj": f"self_attention/{name}" for name in ("query", "key", "value")},
    **dict.fromkeys(("attn.qkv", "self_attention.in_proj"), "self_attention/query,key,value"),
    **dict.fromkeys(
        ("attention.output.dense", "attention.o_proj", "attn.proj", "self_attention.out_proj"),
        "self_attention/attention_output",
    ),
    **dict.fromkeys(("layernorm_after", "norm2", "ln_2"), "feed_forward_norm"),
    **dict.fromkeys(("intermediate.dense", "mlp.fc1", "mlp.0", "mlp.linear_1"), "feed_forward/expand"),
    **dict.fromkeys(("output.dense", "mlp.fc2", "mlp.3", "mlp.linear_2"), "feed_forward/contract"),
}
OF_NORMS = {"weight": "gamma", "bias": "beta"}
OF_OTHERS = {"weight": "kernel", "bias": "bias"}


def vision_transformer(
    weights: Weights,
    num_heads: int,
    image_size: int | Sequence[int] | None = None,
    epsilon: float | None = None,
    **kwargs: Any,
) -> VisionTransformer:
    r"""Converts the state dict of a PyTorch Vision Transformer to a `models.VisionTransformer`.

    All sizes but those of the arguments are inferred from the weights. Supported names:

        transformers: `ViTForImageClassification` and `ViTModel`, whose pooler becomes the layer of
                      `representation_dim`; names of its files and of the state dict of version 5
        timm:         `VisionTransformer` (`blocks.0.attn.qkv.weight`)
        torchvision:  `VisionTransformer` (`encoder.layers.encoder_layer_0.self_attention.in_proj_weight`)

    Transposed and split:

        patches: [D, C, P, Q] -> [P, Q, C, D];  dense: [out, in] -> [in, out]
        queries, keys, values: [N H, D] -> [D, N, H];  all three [3 N H, D], query first;  output: [D, N H] -> [N, H, D]

    The model takes images [B, Y, X, C] with the values that the weights were trained on. Without a head among the
    weights its output are features, for a head of your own. Without a class token it pools by the mean; which pooling
    a network with a class token uses is not in the weights: here, the token.

    Networks with other parts (distillation and register tokens, layer scale, `fc_norm`, normalized queries), or without
    the biases of queries, keys and values, are refused by the names of their weights.

    Args:
        weights: `{name: array}`: `{k: v.cpu().numpy() for k, v in net.state_dict().items()}`.
        num_heads: Int, attention heads.
        image_size: Rows and columns of the images, an int or a pair, for which the weights have positions; `None`: a
            square. Positions are not interpolated.
        epsilon: Of the layer normalizations; `None`: the default of the library that has these names, 1e-12 in
            transformers, else 1e-6.
        **kwargs: Further arguments of `models.VisionTransformer`, such as `name`, `dtype` and `dropout` (here 0 by
            default).

    Returns:
        A built `models.VisionTransformer` with these weights.

    Raises:
        ValueError: If a weight is missing, unknown or of another shape than the model's, or an argument is out of
            range.

    Example:

    >>> from keras_attention import migrate
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"cls_token": (1, 1, 8), "pos_embed": (1, 5, 8), "patch_embed.proj.weight": (8, 3, 16, 16)}
    >>> sizes |= {"blocks.0.attn.qkv.weight": (24, 8), "blocks.0.attn.qkv.bias": (24,)}
    >>> dense = {"blocks.0.attn.proj": 8, "blocks.0.mlp.fc1": 8, "blocks.0.mlp.fc2": 12, "head": 8}
    >>> out = {"blocks.0.mlp.fc1": 12, "head": 10}
    >>> sizes |= {f"{name}.weight": (out.get(name, 8), size) for name, size in dense.items()}
    >>> sizes |= {f"{name}.bias": (out.get(name, 8),) for name in (*dense, "patch_embed.proj")}
    >>> norms = ("norm", "blocks.0.norm1", "blocks.0.norm2")
    >>> sizes |= {f"{name}.{kind}": (8,) for name in norms for kind in ("weight", "bias")}
    >>> model = migrate.vision_transformer({name: rng.random(size) for name, size in sizes.items()}, num_heads=2)
    >>> model.image_size, model.num_layers, tuple(model(np.ones((2, 32, 32, 3))).shape)
    ((32, 32), 1, (2, 10))
    """
    require_mapping(weights)
    if epsilon is None:
        epsilon = 1e-12 if any("layernorm" in name for name in weights) else 1e-6
    found = by_path(weights, _path)
    given = {"num_heads": num_heads, "epsilon": epsilon, "dropout": 0.0, **kwargs}
    model = VisionTransformer(**_describe(found, image_size), **given)
    fill(model, found)
    return model


def _path(name):
    """`vit.encoder.layer.3.intermediate.dense.weight` -> `block_3/feed_forward/expand/kernel`."""
    rest = PREFIXES.sub("", name).replace(".in_proj_", ".in_proj.")
    if rest in ARRAYS:
        return ARRAYS[rest]
    block = BLOCK.match(rest)
    given = (block[2], block[1], OF_BLOCKS) if block else (rest, None, LAYERS)
    return path_in_model(*given, lambda layer: OF_NORMS if layer.endswith("norm") else OF_OTHERS) or name


def _describe(found, image_size):
    """The arguments of the model, inferred from the weights."""
    name, kernel = find(found, "patches/projection/kernel")
    if kernel.ndim != 4:
        raise ValueError(f"`{name}` must be [D, C, P, Q]. Received: {kernel.shape}")
    classes, representation = (found.get(f"{layer}/kernel", (None, None)) for layer in ("logits", "representation"))
    if classes[0] and "pooler" in (representation[0] or ""):
        raise ValueError(
            "`weights` must not have a classifier beside a pooler, which it does not read: leave one of them out. "
            f"Received: {classes[0]}, {representation[0]}"
        )
    token = "class_token/token" in found
    patch = kernel.shape[2:]
    return {
        "image_size": _image_size(found, token, patch) if image_size is None else image_size,
        "patch_size": patch,
        "num_layers": count_blocks(found),
        "model_dim": kernel.shape[0],
        "intermediate_dim": shape_at(found, "block_0/feed_forward/expand/kernel")[0],
        "num_classes": None if classes[0] is None else classes[1].shape[0],
        "pooling": "token" if token else "mean",
        "representation_dim": None if representation[0] is None else representation[1].shape[0],
        "input_channels": kernel.shape[1],
    }


def _image_size(found, token, patch):
    """(rows, columns) in pixels of the square grid of patches that has as many positions."""
    name, table = find(found, "positions/table")
    patches = table.shape[-2] - token if table.ndim > 1 else 0
    side = math.isqrt(max(patches, 0))
    if not side or side**2 != patches:
        raise ValueError(
            f"`image_size` must be given: the positions in `{name}` are not those of a square. Received: {table.shape}"
        )
    return tuple(side * size for size in patch)
