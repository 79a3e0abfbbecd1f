"""PyTorch's names, shapes and layouts of the weights of attention, Transformer blocks and stacks of them.

A layer is described by one table, `{name: (variable, shape)}`, which is read in both directions. Its names are those of
PyTorch's modules, but with the three projections of attention apart: `q_proj.weight`, `q_proj.bias`, ...; `split` and
`join` convert from and to PyTorch's `in_proj_weight` and `in_proj_bias`, and `q_proj_weight` if widths differ.

Kernels [*in, *out] are PyTorch's [out, in]; heads are the major part of an axis N H in both.
"""

import math
import re

import keras
import numpy as np

from keras_attention.layers import MultiHeadAttention, TransformerEncoderBlock

KINDS = {"kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
PROJECTIONS = ("q_proj", "k_proj", "v_proj")
SEPARATE = tuple(f"{name}_weight" for name in PROJECTIONS)


def table(layer):
    """`{name: (variable, PyTorch's shape)}` of a built layer, of a list of layers or of a dict of lists."""
    found = {}
    for name, part in _parts(layer).items():
        if isinstance(part, keras.layers.EinsumDense | keras.layers.Dense | keras.layers.LayerNormalization):
            found |= {f"{name}.{kind}": rest for kind, rest in _leaf(part, name == "out_proj").items()}
        else:
            found |= {f"{name}.{inner}": rest for inner, rest in table(part).items()}
    return found


def _parts(layer):
    """`{name: layer}`: what PyTorch calls the parts of a layer."""
    if isinstance(layer, dict):
        return layer
    if isinstance(layer, list):
        blocks = [part for part in layer if not isinstance(part, keras.layers.LayerNormalization)]
        norm = dict(zip(["norm"], layer[len(blocks) :], strict=False))
        return {f"layers.{i}": block for i, block in enumerate(blocks)} | norm
    if isinstance(layer, MultiHeadAttention):
        dense = (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
        return dict(zip((*PROJECTIONS, "out_proj"), dense, strict=True))
    first = {"self_attn": layer.self_attention, "norm1": layer.self_attention_norm}
    last = {"linear1": layer.feed_forward.expand, "linear2": layer.feed_forward.contract}
    if isinstance(layer, TransformerEncoderBlock):
        return {**first, **last, "norm2": layer.feed_forward_norm}
    second = {"multihead_attn": layer.memory_attention, "norm2": layer.memory_attention_norm}
    return {**first, **second, **last, "norm3": layer.feed_forward_norm}


def _leaf(layer, contracts_heads):
    """`{"weight" or "bias": (variable, shape)}` of a dense layer or a normalization."""
    found = {}
    for variable in layer.weights:
        if variable.name not in KINDS:
            raise ValueError(
                f"`{layer.name}` must be neither quantized nor adapted (LoRA). Received: a weight `{variable.path}`"
            )
        shape = tuple(variable.shape)
        if variable.name == "kernel":
            inputs = 2 if contracts_heads else 1
            shape = (math.prod(shape[inputs:]), math.prod(shape[:inputs]))
        found[KINDS[variable.name]] = variable, shape if variable.name == "kernel" else (math.prod(shape),)
    return found


def split(arrays):
    """The arrays with `in_proj_weight` and `in_proj_bias` as three each."""
    found = {}
    for name, array in arrays.items():
        prefix, last = name[: name.rfind(".") + 1], name.rpartition(".")[2]
        if last in ("in_proj_weight", "in_proj_bias"):
            if array.ndim == 0 or len(array) % 3:
                raise ValueError(f"`{name}` must have rows for queries, keys and values. Received: {array.shape}")
            kind = last.removeprefix("in_proj_")
            found |= {f"{prefix}{p}.{kind}": part for p, part in zip(PROJECTIONS, np.split(array, 3), strict=True)}
        elif last in SEPARATE:
            found[f"{prefix}{last.removesuffix('_weight')}.weight"] = array
        elif last in ("bias_k", "bias_v"):
            raise ValueError(f"`weights` must be of attention without `add_bias_kv`. Received: {name}")
        else:
            found[name] = array
    return found


def join(arrays):
    """The inverse of `split`: fused if keys and values are as wide as queries, as in PyTorch."""
    found = {name: array for name, array in arrays.items() if not any(f"{p}." in name for p in PROJECTIONS)}
    for prefix in (name.removesuffix("q_proj.weight") for name in arrays if name.endswith("q_proj.weight")):
        kernels = [arrays[f"{prefix}{p}.weight"] for p in PROJECTIONS]
        if len({kernel.shape for kernel in kernels}) == 1:
            found[f"{prefix}in_proj_weight"] = np.concatenate(kernels)
        else:
            found |= {f"{prefix}{name}": kernel for name, kernel in zip(SEPARATE, kernels, strict=True)}
        if f"{prefix}q_proj.bias" in arrays:
            found[f"{prefix}in_proj_bias"] = np.concatenate([arrays[f"{prefix}{p}.bias"] for p in PROJECTIONS])
    return found


def checked(weights):
    """The weights as `split` arrays; raises unless they are a mapping."""
    if not hasattr(weights, "items"):
        raise ValueError(
            "`weights` must be a mapping of names to arrays: {k: v.cpu().numpy() for k, v in "
            f"module.state_dict().items()}}. Received: {type(weights).__name__}"
        )
    return split({name: np.asarray(array) for name, array in weights.items()})


def find(arrays, name, ndim):
    """The array of this name; raises for another number of axes."""
    if name not in arrays:
        given = ", ".join(sorted({published(other) for other in arrays})) or "none"
        fused = " or `in_proj_weight`" if published(name).endswith(SEPARATE) else ""
        raise ValueError(f"`weights` must have a `{published(name)}`{fused}. Received: {given}")
    if arrays[name].ndim != ndim:
        raise ValueError(f"`{published(name)}` must have {ndim} axes. Received: {arrays[name].shape}")
    return arrays[name]


def published(name):
    """PyTorch's name of one of the `split` arrays, for error messages."""
    name = re.sub(r"([qkv])_proj\.weight$", r"\1_proj_weight", name)
    return re.sub(r"[qkv]_proj\.bias$", "in_proj_bias", name)


def has_biases(arrays):
    """Whether a module was made with `bias=True`: all of its linear layers and normalizations have biases, or none."""
    return any(name.endswith("bias") for name in arrays)


def fill(layer, arrays):
    """Assigns `split` arrays to a built layer, or raises before the first. Modules with `bias=False` get zeros."""
    variables, with_biases = table(layer), has_biases(arrays)
    surplus = sorted(set(arrays) - set(variables))
    if surplus:
        raise ValueError(f"`weights` must only contain weights of the module. Received: {', '.join(surplus)}")
    values = {}
    for name, (_, shape) in variables.items():
        absent = name.endswith("bias") and not with_biases
        values[name] = np.zeros(shape) if absent else find(arrays, name, len(shape))
        if values[name].shape != shape:
            raise ValueError(f"`{published(name)}` must have the shape {shape}. Received: {values[name].shape}")
    for name, (variable, _) in variables.items():
        variable.assign(values[name].T.reshape(variable.shape))


def read(layer):
    """The inverse of `fill`: the `split` arrays of a built layer."""
    found = {}
    for name, (variable, shape) in table(layer).items():
        array = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
        found[name] = np.ascontiguousarray(array.reshape(shape[::-1]).T)
    return found
