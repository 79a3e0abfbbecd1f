"""Conversion of the attention mechanisms of `tfa.seq2seq`."""

from typing import Any

from keras_attention.layers import (
    BahdanauAttention,
    BahdanauMonotonicAttention,
    LuongAttention,
    LuongMonotonicAttention,
)
from keras_attention.migrate.names import by_path, find, find_beside
from keras_attention.types import Weights


def bahdanau_attention(weights: Weights, **kwargs: Any) -> BahdanauAttention:
    r"""Converts the weights of `tfa.seq2seq.BahdanauAttention` to a `layers.BahdanauAttention`.

    Its sizes and `normalize` are inferred from the weights:

        query/kernel [Dq, U] = query_layer/kernel;  key/kernel [Dv, U] = memory_layer/kernel
        vector [U] = attention_v;  scale [] = attention_g;  bias [U] = attention_b

    In tensorflow-addons the memory is part of the layer (`setup_memory`) and the layer returns scores only; here it is
    an argument of the call, or of `project_memory`, and the layer returns the context, too. Scores of a fully masked
    query are zero here and uniform there; the context is zero in both. `probability_fn="hardmax"` is not supported.

    Args:
        weights: `{name: array}`: `{w.name: w.numpy() for w in old.weights}`. Prefixes of the names are ignored.
        **kwargs: Further arguments of the layer, such as `name`.

    Returns:
        A built `layers.BahdanauAttention`.

    Raises:
        ValueError: If a weight is missing.

    Example:

    >>> import numpy as np
    >>> from keras_attention import migrate
    >>> sizes = {"BahdanauAttention/attention_v": (4,), "BahdanauAttention/kernel": (6, 4)}
    >>> sizes |= {"BahdanauAttention/memory_layer/kernel": (9, 4)}
    >>> layer = migrate.bahdanau_attention({f"{name}:0": np.ones(size) for name, size in sizes.items()})
    >>> tuple(layer(np.ones((2, 5, 6)), np.ones((2, 7, 9))).shape)
    (2, 5, 9)
    """
    return _bahdanau(BahdanauAttention, by_path(weights), **kwargs)


def luong_attention(weights: Weights, **kwargs: Any) -> LuongAttention:
    r"""Converts the weights of `tfa.seq2seq.LuongAttention` to a `layers.LuongAttention` with the general score.

    Its sizes and `scale` are inferred from the weights; queries have `units` features:

        key/kernel [Dv, Dq] = memory_layer/kernel;  scale [] = attention_g

    For the memory and fully masked queries, see `bahdanau_attention`.

    Args:
        weights: `{name: array}`: `{w.name: w.numpy() for w in old.weights}`. Prefixes of the names are ignored.
        **kwargs: Further arguments of the layer, such as `name`.

    Returns:
        A built `layers.LuongAttention`.

    Raises:
        ValueError: If a weight is missing.

    Example:

    >>> import numpy as np
    >>> from keras_attention import migrate
    >>> layer = migrate.luong_attention({"LuongAttention/memory_layer/kernel:0": np.ones((9, 6))})
    >>> tuple(layer(np.ones((2, 5, 6)), np.ones((2, 7, 9))).shape)
    (2, 5, 9)
    """
    return _luong(LuongAttention, by_path(weights), score="general", **kwargs)


def bahdanau_monotonic_attention(weights: Weights, mode: str = "parallel", **kwargs: Any) -> BahdanauMonotonicAttention:
    r"""Converts the weights of `tfa.seq2seq.BahdanauMonotonicAttention` to a `layers.BahdanauMonotonicAttention`.

    The weights are those of `bahdanau_attention` and

        energy_bias [] = attention_score_bias

    tensorflow-addons adds `sigmoid_noise` in inference too, this layer only in training.

    Args:
        weights: `{name: array}`: `{w.name: w.numpy() for w in old.weights}`. Prefixes of the names are ignored.
        mode: `"recursive"`, `"parallel"` or `"hard"`, as in tensorflow-addons; not stored in the weights.
        **kwargs: Further arguments of the layer, such as `sigmoid_noise`.

    Returns:
        A built `layers.BahdanauMonotonicAttention`.

    Raises:
        ValueError: If a weight is missing.
    """
    weights = by_path(weights)
    layer = _bahdanau(BahdanauMonotonicAttention, weights, mode=mode, **kwargs)
    layer.energy_bias.assign(find(weights, "attention_score_bias"))
    return layer


def luong_monotonic_attention(weights: Weights, mode: str = "parallel", **kwargs: Any) -> LuongMonotonicAttention:
    r"""Converts the weights of `tfa.seq2seq.LuongMonotonicAttention` to a `layers.LuongMonotonicAttention`.

    The weights are those of `luong_attention` and

        energy_bias [] = attention_score_bias

    tensorflow-addons adds `sigmoid_noise` in inference too, this layer only in training.

    Args:
        weights: `{name: array}`: `{w.name: w.numpy() for w in old.weights}`. Prefixes of the names are ignored.
        mode: `"recursive"`, `"parallel"` or `"hard"`, as in tensorflow-addons; not stored in the weights.
        **kwargs: Further arguments of the layer, such as `sigmoid_noise`.

    Returns:
        A built `layers.LuongMonotonicAttention`.

    Raises:
        ValueError: If a weight is missing.
    """
    weights = by_path(weights)
    layer = _luong(LuongMonotonicAttention, weights, mode=mode, **kwargs)
    layer.energy_bias.assign(find(weights, "attention_score_bias"))
    return layer


def any_attention(weights, mode):
    """The attention layer of an `AttentionWrapper`, of the type that its weights indicate."""
    has_vector, is_monotonic = (
        find(weights, name, optional=True) is not None for name in ("attention_v", "attention_score_bias")
    )
    if is_monotonic:
        return (bahdanau_monotonic_attention if has_vector else luong_monotonic_attention)(weights, mode)
    return (bahdanau_attention if has_vector else luong_attention)(weights)


def _bahdanau(make, weights, **kwargs):
    vector, scale = find(weights, "attention_v"), find(weights, "attention_g", optional=True)
    query = find_beside(weights, "attention_v", "kernel", "query_layer/kernel")
    key = find(weights, "memory_layer/kernel")
    layer = make(vector.shape[0], normalize=scale is not None, **kwargs)
    layer.build((None, None, query.shape[0]), (None, None, key.shape[0]))
    layer.query_dense.kernel.assign(query)
    layer.key_dense.kernel.assign(key)
    layer.vector.assign(vector)
    if scale is not None:
        layer.scale.assign(scale)
        layer.bias.assign(find(weights, "attention_b"))
    return layer


def _luong(make, weights, **kwargs):
    key, scale = find(weights, "memory_layer/kernel"), find(weights, "attention_g", optional=True)
    layer = make(scale=scale is not None, **kwargs)
    layer.build((None, None, key.shape[1]), (None, None, key.shape[0]))
    layer.key_dense.kernel.assign(key)
    if scale is not None:
        layer.logit_scale.assign(scale)
    return layer


def is_of_attention(path, weights):
    """Whether a weight belongs to the attention and not to the cell."""
    if path[-1].startswith("attention_") or path[-2:-1] in (("memory_layer",), ("query_layer",)):
        return True
    return (*path[:-1], "attention_v") in weights
