"""Attention of all pairs of positions, and windows of them."""

import dataclasses
import math

import keras

from keras_attention import layers
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.formulas.elementwise import named
from keras_attention.analyze.formulas.pairs import Pairs
from keras_attention.analyze.paths import hops
from keras_attention.analyze.registry import inside, register
from keras_attention.layers.bases.flash_attention import block_size


def _attended(shape, axes):
    """(free, attended) sizes of the positions of [B, *middle, D]."""
    axes = range(1, len(shape) - 1) if axes is None else [axes] if isinstance(axes, int) else axes
    attended = {axis % len(shape) for axis in axes}
    sizes = {True: 1, False: 1}
    for axis in range(1, len(shape) - 1):
        sizes[axis in attended] *= shape[axis]
    return sizes[False], sizes[True]


@register(layers.MultiHeadAttention)
def multi_head_attention(call):
    """The projections, and N * (H + V) for each pair that the operation computes."""
    layer, dtype, query = call.layer, call.layer.compute_dtype, call.shape("query")
    memory, cache = call.arguments.get("memory"), call.arguments.get("cache")
    free, T = _attended(query, layer.attention_axes)
    projected = memory if cache is None else cache
    if projected is None:
        S = _attended(call.shape("value") or query, layer.attention_axes)[1]
    else:
        S = projected["key"].shape[2]
    groups, window = layer.num_heads // layer.num_key_value_heads, layer.sliding_window
    pairs = Pairs(query[0] * free, T, S, layer.num_heads, layer.key_dim, layer.value_dim, groups)
    causal = cache is not None or bool(call.arguments.get("use_causal_mask"))
    pairs = pairs.planned(dtype, block_size(layer.flash_attention), causal, window)
    return inside(call) + pairs.cost(dtype, 1 if window is None else hops(max(T, S), window - 1))


@register(layers.ScaledDotProductAttention)
def scaled_dot_product_attention(call):
    """N * (H + V) for each pair that the operation computes."""
    query, dtype = call.shape("query"), call.layer.compute_dtype
    value, heads = call.shape("value") or query, query[2] if len(query) == 4 else 1
    groups = heads // value[2] if len(query) == 4 else 1
    pairs = Pairs(query[0], query[1], value[1], heads, query[-1], value[-1], groups)
    return pairs.planned(dtype, causal=bool(call.arguments.get("use_causal_mask"))).cost(dtype)


@register(keras.layers.MultiHeadAttention, *named(keras.layers, "GroupQueryAttention"))
def keras_multi_head_attention(call):
    """The projections, and T * S * N * (H + V)."""
    config, query, value = call.layer.get_config(), call.shape("query"), call.shape("value")
    heads = config.get("num_heads") or config["num_query_heads"]
    H = config.get("key_dim") or config["head_dim"]
    free, T = _attended(query, config.get("attention_axes"))
    S = _attended(value, config.get("attention_axes"))[1]
    softmax = any(isinstance(inner.layer, keras.layers.Softmax) for inner in call.inner)  # it counts its output
    pairs = Pairs(query[0] * free, T, S, heads, H, config.get("value_dim") or H, held=not softmax)
    return inside(call) + pairs.cost(call.layer.compute_dtype)


@register(keras.layers.Attention, keras.layers.AdditiveAttention)
def keras_attention(call):
    """T * S * (H + V) of one head."""
    query, value, *_ = (tuple(x.shape) for x in call.arguments["inputs"])
    return Pairs(query[0], query[1], value[1], 1, query[-1], value[-1]).cost(call.layer.compute_dtype)


def memory_pairs(call, width):
    """`Pairs` of attention with one head over a memory, whose logits are sums of `width` numbers."""
    (B, T, _), (_, S, V) = call.shape("query"), call.shape("value")
    return Pairs(B, T, S, 1, width, V)


def _chained(cost, T):
    """The cost where each query waits for the one before it."""
    return dataclasses.replace(cost, sequential_steps=cost.sequential_steps + T - 1, longest_path=T)


@register(layers.BahdanauAttention)
def bahdanau_attention(call):
    """The projections, and T * S * (U + V)."""
    layer, dtype, pairs = call.layer, call.layer.compute_dtype, memory_pairs(call, call.layer.units)
    if layer.coverage:
        return _chained(inside(call) + pairs.cost(dtype), pairs.T)
    return inside(call) + pairs.in_tiles(dtype, layer.units).cost(dtype)


@register(layers.LuongAttention)
def luong_attention(call):
    """The projections, and width + V for each pair that the operation computes."""
    layer, dtype, query = call.layer, call.layer.compute_dtype, call.shape("query")
    # local_p predicts the position in the memory that each query looks at.
    cost = inside(call) + Cost(math.prod(query) if layer.window == "local_p" else 0)
    if layer.score == "concat":
        return cost + memory_pairs(call, layer.units).in_tiles(dtype, layer.units).cost(dtype)
    pairs = memory_pairs(call, query[-1])
    if layer.window == "local_p":
        return cost + pairs.in_tiles(dtype, 1).cost(dtype)
    window = None if layer.window is None else int(layer.half_width) + 1
    path = 1 if window is None else hops(max(pairs.T, pairs.S), window - 1)
    return cost + pairs.planned(dtype, window=window).cost(dtype, path)


@register(layers.BahdanauMonotonicAttention, layers.LuongMonotonicAttention)
def monotonic_attention(call):
    """The projections, and T * S * (width + V); the alignment of a query waits for the one before it."""
    width = getattr(call.layer, "units", None) or call.shape("query")[-1]
    pairs = memory_pairs(call, width)
    return _chained(inside(call) + pairs.cost(call.layer.compute_dtype), pairs.T)


@register(layers.AttentionPooling)
def attention_pooling(call):
    """The projections, and T * (U + C)."""
    B, T, C = call.first
    return inside(call) + Pairs(B, 1, T, 1, call.layer.units, C).cost(call.layer.compute_dtype)
