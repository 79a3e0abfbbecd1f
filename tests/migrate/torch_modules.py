"""PyTorch's attention and Transformer modules with random weights: inputs, masks, outputs and gradients.

A case is `{name: array}`, as `tests.goldens.cases` reads it, with a dict of weights. Only `run` needs PyTorch.
"""

import warnings

import numpy as np

from keras_attention import migrate
from tests.backend import value_and_gradients

B, T, S, D, N, F = 2, 4, 7, 6, 3, 10  # H = 2
GELU_FIRST = {"norm_first": True, "activation": "gelu", "layer_norm_eps": 1e-2}
ATTENTIONS = {
    "fused": {},
    "fused_no_bias": {"bias": False},
    "separate": {"kdim": 9, "vdim": 5},
    "separate_no_bias": {"kdim": 9, "vdim": 5, "bias": False},
}
# name: module, its arguments, whether a stack has a final norm
TRANSFORMERS = {
    "encoder_layer": ("TransformerEncoderLayer", {}, False),
    "encoder_layer_gelu_first": ("TransformerEncoderLayer", GELU_FIRST, False),
    "encoder_layer_no_bias": ("TransformerEncoderLayer", {"bias": False, "activation": "gelu"}, False),
    "decoder_layer": ("TransformerDecoderLayer", {"layer_norm_eps": 1e-2}, False),
    "decoder_layer_first": ("TransformerDecoderLayer", {"norm_first": True}, False),
    "decoder_layer_no_bias_first": ("TransformerDecoderLayer", {**GELU_FIRST, "bias": False}, False),
    "encoder": ("TransformerEncoder", {}, False),
    "encoder_first_norm": ("TransformerEncoder", GELU_FIRST, True),
    "decoder_first_norm": ("TransformerDecoder", GELU_FIRST, True),
    "decoder_no_bias": ("TransformerDecoder", {"bias": False}, False),
    "transformer": ("Transformer", {}, True),
    "transformer_no_bias_first": ("Transformer", {**GELU_FIRST, "bias": False}, True),
}
CASES = {**ATTENTIONS, **TRANSFORMERS}


def make(name):
    """The module of a case, with noise in all weights."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    if name in ATTENTIONS:
        module = nn.MultiheadAttention(D, N, batch_first=True, **ATTENTIONS[name])
    else:
        kind, given, norm = TRANSFORMERS[name]
        with warnings.catch_warnings(action="ignore"):  # nested tensors are off
            module = _transformer(nn, kind, {**given, "batch_first": True, "dim_feedforward": F}, norm)
    for key, parameter in module.named_parameters():
        noise = 0.5 * torch.randn(parameter.shape)
        parameter.data = 1 + noise if "norm" in key and key.endswith("weight") else noise
    return module.eval()


def _transformer(nn, kind, given, norm):
    if kind == "Transformer":
        return nn.Transformer(D, N, 2, 2, **given)
    if kind.endswith("Layer"):
        return getattr(nn, kind)(D, N, **given)
    layer = getattr(nn, f"{kind}Layer")(D, N, **given)
    return getattr(nn, kind)(layer, 2, nn.LayerNorm(D, given["layer_norm_eps"]) if norm else None)


def inputs(name):
    """`{name: array}`: inputs and masks with PyTorch's names and meaning; nothing is hidden from a query entirely."""
    rng = np.random.RandomState(3)

    def hidden(*shape):
        mask = rng.random_sample(shape) < 0.4
        mask[..., 1] = False
        return mask

    x, y = rng.standard_normal((B, S, D)), rng.standard_normal((B, T, D))
    if name in ATTENTIONS:
        given = ATTENTIONS[name]
        key, value = (rng.standard_normal((B, S, given.get(width, D))) for width in ("kdim", "vdim"))
        found = {"query": y, "key": key, "value": value}
        found |= {"key_padding_mask": hidden(B, S), "attn_mask": hidden(T, S)}
    elif name.startswith("encoder"):
        found = {"src": x, "src_key_padding_mask": hidden(B, S), "mask": hidden(S, S)}
    else:
        found = {"src" if name.startswith("transformer") else "memory": x, "tgt": y}
        found |= {"tgt_mask": hidden(T, T), "tgt_key_padding_mask": hidden(B, T)}
        found |= {"memory_mask": hidden(T, S), "memory_key_padding_mask": hidden(B, S)}
        if name.startswith("transformer"):
            found |= {"src_mask": hidden(S, S), "src_key_padding_mask": found["memory_key_padding_mask"]}
    return {key: array if array.dtype == bool else array.astype("float32") for key, array in found.items()}


def cotangent(found):
    """Noise shaped like the output, zero where it is padding."""
    mask = found.get("tgt_key_padding_mask", found.get("src_key_padding_mask"))
    length = S if "tgt" not in found and "query" not in found else T
    noise = np.random.RandomState(4).standard_normal((B, length, D)).astype("float32")
    return noise if mask is None else noise * np.expand_dims(~mask, -1)


def run(name):
    """A case: what the module returns, and the gradients of its inputs."""
    import torch

    module, found = make(name), inputs(name)
    tensors = {key: torch.from_numpy(array) for key, array in found.items()}
    floats = {key: tensor.requires_grad_() for key, tensor in tensors.items() if tensor.dtype != torch.bool}
    if name.startswith("encoder_layer"):
        tensors["src_mask"] = tensors.pop("mask")
    output = module(**tensors)[0] if name in ATTENTIONS else module(**tensors)
    output.backward(torch.from_numpy(cotangent(found)))
    weights = {key: weight.numpy() for key, weight in module.state_dict().items()}
    gradients = {f"gradient_{key}": tensor.grad.numpy() for key, tensor in floats.items()}
    return {**found, "output": output.detach().numpy(), **gradients, "weights": weights}


def convert(name, weights):
    """The layer of this library with the weights of a case."""
    if name in ATTENTIONS:
        return migrate.torch_multi_head_attention(weights, N)
    given = dict(TRANSFORMERS[name][1])
    given.pop("bias", None)
    return migrate.torch_transformer(weights, N, epsilon=given.pop("layer_norm_eps", 1e-5), **given)


def check(name, case, layer):
    """Compares output and gradients of the converted layer with the case's."""
    found = inputs(name)
    floats = [key for key, array in found.items() if array.dtype != bool]
    seen = {key: ~array for key, array in found.items() if array.dtype == bool}

    def function(*tensors):
        return _apply(name, layer, dict(zip(floats, tensors, strict=True)), seen)

    output, gradients = value_and_gradients(function, [found[key] for key in floats], cotangent(found))
    real = np.broadcast_to(cotangent(found) != 0, output.shape)
    np.testing.assert_allclose(output[real], case["output"][real], rtol=1e-5, atol=1e-5)
    for key, gradient in zip(floats, gradients, strict=True):
        assert np.abs(case[f"gradient_{key}"]).max() > 0.05
        np.testing.assert_allclose(gradient, case[f"gradient_{key}"], rtol=1e-5, atol=1e-5, err_msg=key)


def _apply(name, layer, x, seen):
    if name in ATTENTIONS:
        masks = {"value_mask": seen["key_padding_mask"], "attention_mask": seen["attn_mask"]}
        return layer(x["query"], x["value"], x["key"], **masks)
    stacks = layer if isinstance(layer, dict) else {name.partition("_")[0]: layer}
    y = x.get("memory")
    for kind, stack in stacks.items():
        y = _encode(stack, x["src"], seen) if kind == "encoder" else _decode(stack, x["tgt"], y, seen)
    return y


def _encode(stack, x, seen):
    masks = {"mask": seen["src_key_padding_mask"], "attention_mask": seen.get("src_mask", seen.get("mask"))}
    for layer in stack if isinstance(stack, list) else [stack]:
        x = layer(x, **masks) if hasattr(layer, "feed_forward") else layer(x)
    return x


def _decode(stack, x, memory, seen):
    masks = {"inputs_mask": seen["tgt_key_padding_mask"], "memory_mask": seen["memory_key_padding_mask"]}
    masks |= {"attention_mask": seen["tgt_mask"], "memory_attention_mask": seen["memory_mask"]}
    for layer in stack if isinstance(stack, list) else [stack]:
        x = layer(x, memory, use_causal_mask=False, **masks) if hasattr(layer, "feed_forward") else layer(x)
    return x
