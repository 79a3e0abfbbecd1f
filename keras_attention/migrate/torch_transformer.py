"""Conversion of PyTorch's Transformer modules."""

import re
from typing import Any

import keras

from keras_attention.layers import TransformerDecoderBlock, TransformerEncoderBlock
from keras_attention.migrate.torch_multi_head_attention import check_heads
from keras_attention.migrate.torch_names import checked, fill, find, has_biases
from keras_attention.ops.require import require_int
from keras_attention.types import Activation, Weights


def torch_transformer(
    weights: Weights,
    num_heads: int,
    norm_first: bool = False,
    activation: Activation = "relu",
    epsilon: float = 1e-5,
    **kwargs: Any,
) -> Any:
    r"""Converts the state dict of one of PyTorch's Transformer modules to blocks of this library.

    The result has the structure of the module, which is recognized by the names of the weights:

        nn.TransformerEncoderLayer -> layers.TransformerEncoderBlock
        nn.TransformerDecoderLayer -> layers.TransformerDecoderBlock
        nn.TransformerEncoder      -> [block, ..., block], and keras.layers.LayerNormalization if it has a final norm
        nn.TransformerDecoder      -> the same of decoder blocks
        nn.Transformer             -> {"encoder": [block, ..., norm], "decoder": [block, ..., norm]}

    Weights of a block, with those of attention as in `torch_multi_head_attention`:

        self_attention, memory_attention = self_attn, multihead_attn
        feed_forward/expand, contract    = linear1, linear2: kernel [in, out] = weight [out, in]
        self_attention_norm              = norm1: gamma, beta = weight, bias
        memory_attention_norm            = norm2 of decoders
        feed_forward_norm                = norm2 of encoders, norm3 of decoders

    With `bias=False`, PyTorch leaves out all biases, also of the normalizations. Here the attention has none then
    (`use_bias=False`), and the others are zero: the function is the same, but further training updates them.

    The call differs:

        PyTorch                                             here
        batch_first=False: [T, B, D]                        always [B, T, D]
        src_key_padding_mask=hidden [B, T], True hides      mask=~hidden; of a decoder: inputs_mask=~hidden
        memory_key_padding_mask=hidden [B, S]               memory_mask=~hidden
        src_mask, tgt_mask=hidden [T, T], True hides        attention_mask=~hidden
        memory_mask=hidden [T, S] (of each pair)            memory_attention_mask=~hidden
        a floating src_mask or tgt_mask                     attention_bias
        decoder without a causal tgt_mask                   use_causal_mask=False: a decoder block is causal by default

    Differs from PyTorch in training: its dropout also acts between the two dense layers of the feed-forward network,
    and on the attention's scores (`attention_dropout`, 0 by default, here).

    Args:
        weights: `{name: array}`: `{k: v.cpu().numpy() for k, v in module.state_dict().items()}`.
        num_heads: Positive int, `nhead` of the module. This and the next three are not stored in the weights.
        norm_first: `norm_first` of the module.
        activation: `"relu"` or `"gelu"`, `activation` of the module; or a callable.
        epsilon: `layer_norm_eps` of the module, also used for a final norm.
        **kwargs: Further arguments of all blocks: `dropout`, `attention_dropout`, `dtype`, ...

    Returns:
        A built block, a list of built layers to apply in turn, or a dict of two such lists, as above.

    Raises:
        ValueError: If a weight is missing, unknown or of the wrong shape, or `num_heads` does not divide the width.

    Example:

    >>> import numpy as np
    >>> from keras_attention import migrate
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"self_attn.in_proj_weight": (24, 8), "self_attn.out_proj.weight": (8, 8), "norm1.weight": (8,)}
    >>> sizes |= {"linear1.weight": (16, 8), "linear2.weight": (8, 16), "norm2.weight": (8,)}
    >>> weights = {f"layers.{i}.{name}": rng.random(size) for i in (0, 1) for name, size in sizes.items()}
    >>> x = np.ones((3, 5, 8))
    >>> for layer in migrate.torch_transformer(weights, num_heads=2):
    ...     x = layer(x)
    >>> tuple(x.shape)
    (3, 5, 8)
    """
    arrays = checked(weights)
    require_int(num_heads, "num_heads")
    given = {"num_heads": num_heads, "norm_first": norm_first, "activation": activation, "epsilon": epsilon}
    given |= {"use_bias": has_biases(arrays), **kwargs}
    stacks = [name for name in ("encoder", "decoder") if any(key.startswith(f"{name}.layers.") for key in arrays)]
    if stacks:
        result = {name: _stack(arrays, f"{name}.", given) for name in stacks}
    else:
        is_stack = any(name.startswith("layers.") for name in arrays)
        result = _stack(arrays, "", given) if is_stack else _block(arrays, "", given)
    fill(result, arrays)
    return result


def _stack(arrays, prefix, given):
    """The blocks of a stack and its final normalization, if it has one."""
    found = (re.match(rf"{re.escape(prefix)}layers\.(\d+)\.", name) for name in arrays)
    blocks = [_block(arrays, f"{prefix}layers.{i}.", given) for i in range(1 + max(int(m[1]) for m in found if m))]
    if f"{prefix}norm.weight" not in arrays:
        return blocks
    norm = keras.layers.LayerNormalization(epsilon=given["epsilon"], dtype=blocks[0].dtype_policy)
    norm.build((None, None, len(find(arrays, f"{prefix}norm.weight", 1))))
    return [*blocks, norm]


def _block(arrays, prefix, given):
    """A built block with the sizes of the arrays."""
    D = find(arrays, f"{prefix}self_attn.out_proj.weight", 2).shape[0]
    check_heads(given["num_heads"], D)
    hidden = find(arrays, f"{prefix}linear1.weight", 2).shape[0]
    is_decoder = any(name.startswith(f"{prefix}multihead_attn.") for name in arrays)
    block = (TransformerDecoderBlock if is_decoder else TransformerEncoderBlock)(intermediate_dim=hidden, **given)
    block.build(*((None, None, D),) * (1 + is_decoder))
    return block
