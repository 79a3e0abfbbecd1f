"""Conversion of `torch.nn.MultiheadAttention`."""

from typing import Any

from keras_attention.layers import MultiHeadAttention
from keras_attention.migrate.torch_names import checked, fill, find, has_biases
from keras_attention.ops.require import require_int
from keras_attention.types import Weights


def torch_multi_head_attention(weights: Weights, num_heads: int, **kwargs: Any) -> MultiHeadAttention:
    r"""Converts the state dict of `torch.nn.MultiheadAttention` to a `layers.MultiHeadAttention`.

    All sizes but the number of heads are inferred from the weights, with N heads of size H and E = N H:

        query/kernel, key/kernel, value/kernel: [D, N, H] = in_proj_weight [3 E, E], a third each, or
                                                            q_proj_weight, k_proj_weight, v_proj_weight [E, D]
        query/bias, key/bias, value/bias:       [N, H]    = in_proj_bias [3 E], a third each
        attention_output/kernel, bias:   [N, H, E], [E]   = out_proj.weight [E, E], out_proj.bias [E]

    The call differs:

        PyTorch                                       here
        old(query, key, value)                        new(query, value, key)
        batch_first=False: [T, B, E]                  always [B, T, E]
        key_padding_mask=hidden [B, S], True hides    value_mask=~hidden
        attn_mask=hidden [T, S], True hides           attention_mask=~hidden
        attn_mask [B N, T, S]                         attention_mask [B, N, T, S]
        a floating attn_mask, added to the logits     attention_bias
        average_attn_weights=False                    return_attention_scores=True

    The context of a query without visible keys is zero here, and NaN there unless `need_weights=False`. `add_bias_kv`
    is refused. `add_zero_attn` is not supported, and is not visible in the weights.

    Args:
        weights: `{name: array}`: `{k: v.cpu().numpy() for k, v in module.state_dict().items()}`.
        num_heads: Positive int N, `module.num_heads`: it is not stored in the weights.
        **kwargs: Further arguments of `layers.MultiHeadAttention`: `dropout`, `name`, ...

    Returns:
        A built `layers.MultiHeadAttention`.

    Raises:
        ValueError: If a weight is missing, unknown or of the wrong shape, or `num_heads` does not divide E.

    Example:

    >>> import numpy as np
    >>> from keras_attention import migrate
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"in_proj_weight": (24, 8), "in_proj_bias": (24,), "out_proj.weight": (8, 8), "out_proj.bias": (8,)}
    >>> layer = migrate.torch_multi_head_attention({name: rng.random(size) for name, size in sizes.items()}, 2)
    >>> tuple(layer(np.ones((3, 5, 8)), np.ones((3, 7, 8))).shape)
    (3, 5, 8)
    """
    arrays = checked(weights)
    N = require_int(num_heads, "num_heads")
    query, key, value = (find(arrays, f"{name}_proj.weight", 2).shape for name in "qkv")
    E = find(arrays, "out_proj.weight", 2).shape[1]
    check_heads(N, E)
    layer = MultiHeadAttention(N, E // N, use_bias=has_biases(arrays), output_shape=E, **kwargs)
    layer.build((None, None, query[1]), (None, None, value[1]), (None, None, key[1]))
    fill(layer, arrays)
    return layer


def check_heads(num_heads, width):
    """Raises unless the heads divide the width."""
    if width % num_heads:
        raise ValueError(f"`num_heads` must divide {width}, the width of the weights. Received: num_heads={num_heads}")
