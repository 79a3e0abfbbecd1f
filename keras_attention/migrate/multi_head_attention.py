"""Conversion of `tfa.layers.MultiHeadAttention`."""

from typing import Any

import numpy as np

from keras_attention.layers import MultiHeadAttention
from keras_attention.migrate.names import by_path, find
from keras_attention.types import Weights


def multi_head_attention(weights: Weights, **kwargs: Any) -> MultiHeadAttention:
    r"""Converts the weights of `tfa.layers.MultiHeadAttention` to a `layers.MultiHeadAttention`.

    All sizes are inferred from the weights, with N heads of size H:

        query/kernel, key/kernel, value/kernel: [D, N, H] = query_kernel, key_kernel, value_kernel [N, D, H]
        attention_output/kernel: [N, H, E] = projection_kernel [N, H, E]
        attention_output/bias:   [E]       = projection_bias [E], if there is one

    tensorflow-addons has a bias on the output only; here `use_bias` applies to all projections, so those of query,
    key and value get zero biases, which further training updates.

    The call differs: `old([query, key, value], mask)` is `new(query, value, key, attention_mask=mask)`, and
    `return_attn_coef` is `return_attention_scores` of the call. The context of a fully masked query is zero here and
    the mean of all values there.

    Args:
        weights: `{name: array}`: `{w.name: w.numpy() for w in old.weights}`. Prefixes of the names are ignored.
        **kwargs: Further arguments of `layers.MultiHeadAttention`: `dropout`, `name`, ...

    Returns:
        A built `layers.MultiHeadAttention`.

    Raises:
        ValueError: If a weight is missing.

    Example:

    >>> import numpy as np
    >>> from keras_attention import migrate
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"query_kernel": (4, 6, 3), "key_kernel": (4, 8, 3), "value_kernel": (4, 9, 3)}
    >>> sizes |= {"projection_kernel": (4, 3, 10), "projection_bias": (10,)}
    >>> old = {f"multi_head_attention/{name}:0": rng.standard_normal(size) for name, size in sizes.items()}
    >>> layer = migrate.multi_head_attention(old)
    >>> tuple(layer(np.ones((2, 5, 6)), np.ones((2, 7, 9)), np.ones((2, 7, 8))).shape)
    (2, 5, 10)
    """
    weights = by_path(weights)
    query, key, value = (find(weights, f"{name}_kernel") for name in ("query", "key", "value"))
    output, bias = find(weights, "projection_kernel"), find(weights, "projection_bias", optional=True)
    N, _, H = query.shape
    has_bias = bias is not None
    layer = MultiHeadAttention(N, H, use_bias=has_bias, output_shape=output.shape[-1], **kwargs)
    layer.build(*((None, None, kernel.shape[1]) for kernel in (query, value, key)))
    none = [np.zeros((N, H))] if has_bias else []
    inward = [[kernel.transpose(1, 0, 2), *none] for kernel in (query, key, value)]
    layer.set_weights([*inward[0], *inward[1], *inward[2], output, *([bias] if has_bias else [])])
    return layer
