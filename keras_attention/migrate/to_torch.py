"""Conversion of attention and Transformer blocks to PyTorch's modules."""

from typing import Any

import keras
import numpy as np

from keras_attention.layers import MultiHeadAttention, TransformerDecoderBlock, TransformerEncoderBlock
from keras_attention.migrate.torch_names import join, read

BLOCKS = TransformerEncoderBlock, TransformerDecoderBlock


def to_torch(layer: keras.Layer | list[Any] | dict[str, list[Any]]) -> dict[str, np.ndarray]:
    r"""Converts weights of attention and of Transformer blocks to the state dict of a PyTorch module.

    The inverse of `torch_multi_head_attention` and `torch_transformer`, with the same tables:

        layers.MultiHeadAttention               -> nn.MultiheadAttention(E, N, bias=use_bias, kdim=..., vdim=...)
        layers.TransformerEncoderBlock          -> nn.TransformerEncoderLayer
        layers.TransformerDecoderBlock          -> nn.TransformerDecoderLayer
        a list of blocks                        -> nn.TransformerEncoder or nn.TransformerDecoder
        a list of blocks and LayerNormalization -> the same with a final norm
        {"encoder": list, "decoder": list}      -> nn.Transformer

    State dicts of blocks are those of modules with `bias=True`: a block without biases in its attention gets zeros
    there. The other arguments must be given to the module: `batch_first=True`, `norm_first`, `activation`, and
    `layer_norm_eps=block.epsilon`, which is 1e-6 by default here and 1e-5 in PyTorch. Masks are inverted there, see
    `torch_transformer`, and a `nn.TransformerDecoderLayer` is not causal without a `tgt_mask`.

    PyTorch requires that all heads together are as wide as the queries and the output, and has no
    `num_key_value_heads`, `use_gate`, `sliding_window`, `attention_axes`, `rotary`, `query_key_norm`, `logit_cap` and
    `use_sinks`; its blocks have layer normalization, `FeedForward` with biases, and decoders a cross-attention.

    Args:
        layer: A built layer of this library, a list of them or a dict of two lists, as above.

    Returns:
        `{name: array}`, in float32:
        `module.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()})`.

    Raises:
        ValueError: If PyTorch has no module for the layer, if it is not built, quantized or has LoRA weights.

    Example:

    >>> from keras_attention import layers, migrate
    >>> block = layers.TransformerEncoderBlock(num_heads=2, intermediate_dim=16)
    >>> block.build((None, None, 8))
    >>> {name: array.shape for name, array in migrate.to_torch(block).items() if "in_proj" in name}
    {'self_attn.in_proj_weight': (24, 8), 'self_attn.in_proj_bias': (24,)}
    """
    layers = _members(layer)
    for part in layers:
        _check(part)
    arrays = join(read(layer))
    if not isinstance(layer, MultiHeadAttention):
        arrays |= _zero_biases(arrays)
    return arrays


def _members(layer):
    """The layers of a list or of a dict of lists; otherwise the layer itself."""
    if isinstance(layer, dict):
        if not layer or not set(layer) <= {"encoder", "decoder"}:
            raise ValueError(f'A dict `layer` must have the keys "encoder" and "decoder". Received: {list(layer)}')
        return [part for stack in layer.values() for part in _members(stack)]
    if not isinstance(layer, list):
        return [layer]
    blocks = layer[:-1] if layer and isinstance(layer[-1], keras.layers.LayerNormalization) else layer
    if len({type(block) for block in blocks}) != 1 or type(blocks[0]) not in BLOCKS:
        kinds = [type(part).__name__ for part in layer]
        raise ValueError(
            "A list `layer` must have blocks of one kind, and at most one LayerNormalization, the last. "
            f"Received: {kinds}"
        )
    return layer


def _check(layer):
    """Raises unless PyTorch has a module for the layer."""
    if isinstance(layer, keras.layers.LayerNormalization):
        if not (layer.center and layer.scale):
            raise ValueError(f"`{layer.name}` must have `center=True` and `scale=True`. Received: {layer.get_config()}")
        return
    if type(layer) not in (MultiHeadAttention, *BLOCKS):  # a subclass may compute something else
        raise ValueError(
            "`layer` must be a MultiHeadAttention, a TransformerEncoderBlock, a TransformerDecoderBlock, a list of "
            f"blocks or a dict of two lists. Received: {type(layer).__name__}"
        )
    if not layer.built:
        raise ValueError(f"`layer` must be built. Received: {layer.name}, without weights")
    attentions = [layer]
    if not isinstance(layer, MultiHeadAttention):
        _check_parts(layer)
        attentions = [layer.self_attention]
        attentions += [layer.memory_attention] if isinstance(layer, TransformerDecoderBlock) else []
    for attention in attentions:
        _check_attention(attention, own_keys=attention is not layer)


def _check_parts(block):
    """Raises unless PyTorch has the parts that a block is made of."""
    facts = [
        ("norm", block.norm, "layer"),
        ("self_attention", type(block.self_attention).__name__, "MultiHeadAttention"),
        ("feed_forward", type(block.feed_forward).__name__, "FeedForward"),
        ("use_bias of the feed_forward", getattr(block.feed_forward, "use_bias", None), True),
    ]
    if isinstance(block, TransformerDecoderBlock):
        facts.append(("a memory", block.memory_attention is not None, True))
    _require(facts, f"PyTorch's block in place of `{block.name}`")


def _check_attention(layer, own_keys):
    """Raises unless PyTorch has this attention. `own_keys`: keys and values must be as wide as queries."""
    N, H = layer.num_heads, layer.key_dim
    E = N * H
    facts = [  # name, received, required
        ("value_dim", layer.value_dim, H),
        ("num_key_value_heads", layer.num_key_value_heads, N),
        ("use_gate", layer.use_gate, False),
        ("sliding_window", layer.sliding_window, None),
        ("attention_axes", layer.attention_axes or (1,), (1,)),
        ("rotary", layer.rotary, None),
        ("query_key_norm", layer.query_key_norm, False),
        ("logit_cap", layer.logit_cap, None),
        ("use_sinks", layer.use_sinks, False),
        ("width of the queries", layer.query_dense.kernel.shape[0], E),
        ("output_shape", tuple(layer.output_dense.kernel.shape[2:]), (E,)),
    ]
    if own_keys:
        facts.append(("width of the memory", layer.key_dense.kernel.shape[0], E))
    _require(facts, f"PyTorch's attention with num_heads={N} and key_dim={H} in place of `{layer.name}`")


def _require(facts, what):
    """Raises unless what is received is what is required, for each (name, received, required)."""
    wrong = [(name, received, required) for name, received, required in facts if received != required]
    if wrong:
        raise ValueError(
            f"{what} must have {', '.join(f'{name}={required}' for name, _, required in wrong)}. "
            f"Received: {', '.join(f'{name}={received}' for name, received, _ in wrong)}"
        )


def _zero_biases(arrays):
    """Biases of attention that a block lacks."""
    names = {"in_proj_weight": "in_proj_bias", "out_proj.weight": "out_proj.bias"}
    found = {}
    for name, array in arrays.items():
        for weight, bias in names.items():
            if name.endswith(weight) and name.removesuffix(weight) + bias not in arrays:
                found[name.removesuffix(weight) + bias] = np.zeros(len(array), "float32")
    return found
