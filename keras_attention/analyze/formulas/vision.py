"""Layers of images: non-local attention, gates, glimpses, selection."""

import dataclasses
import math

from keras_attention import layers
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.formulas.dense import product
from keras_attention.analyze.formulas.pairs import Pairs
from keras_attention.analyze.registry import inside, register
from keras_attention.layers.bases.gate import ChannelGate
from keras_attention.ops.glimpse_sensor import patch_widths
from keras_attention.ops.non_local_operation import SOFTMAX
from keras_attention.ops.shapes.extents import Extent
from keras_attention.ops.shapes.subsample import subsampled


def _channels_last(call):
    shape = call.first
    return shape if call.layer.data_format == "channels_last" else (shape[0], *shape[2:], shape[1])


@register(layers.NonLocalBlock)
def non_local_block(call):
    """The projections, and T * S * (H + V); of a dot product (T + S) * H * V if that is less."""
    layer, (*dims, C), dtype = call.layer, _channels_last(call), call.layer.compute_dtype
    units = max(C // layer.reduction, 1)
    H = C if layer.pairwise == "gaussian" else units
    pooled = layer.pool is not None and layer.extent != "time"
    *free, _, T, S = Extent(layer.extent).scores_dims(dims, subsampled(dims) if pooled else dims)
    pairs = Pairs(math.prod(free), T, S, 1, H, units)
    if layer.pairwise in SOFTMAX:
        cost = pairs.planned(dtype).cost(dtype)
    else:
        cost = _linear(pairs, layer.pairwise, dtype)
    path = 1 if layer.extent == "spacetime" else math.inf
    return inside(call) + dataclasses.replace(cost, longest_path=path)


def _linear(pairs, pairwise, dtype):
    """Cost of logits without a softmax. They need no [T, S]: of long inputs, a dot product is (T + S) * H * V.

    A concatenation's logits are sums of one number of the query and one of the key, and long inputs are sorted by them.
    """
    B, T, S, H, V = pairs.B, pairs.T, pairs.S, pairs.H, pairs.V
    whole, short = pairs.cost(dtype), dataclasses.replace(pairs, pairs=0, held=False).cost(dtype)
    if pairwise == "dot_product":
        linear = short + Cost(B * (T + S) * H * V)
        return whole if whole.multiply_adds <= linear.multiply_adds else linear
    numbers = Cost(B * (T + S) * H)
    return numbers + (dataclasses.replace(pairs, H=0).cost(dtype) if pairs.planned(dtype).held else short)


@register(layers.SelfAttention2D)
def self_attention_2d(call):
    """The projections, and T * S * (H + V)."""
    layer, (*dims, _), dtype = call.layer, _channels_last(call), call.layer.compute_dtype
    H, V = (call.of(x).output_shape[-1] for x in (layer.query, layer.value))
    keys = subsampled(dims) if layer.variant == "reference" else dims
    pairs = Pairs(dims[0], math.prod(dims[1:]), math.prod(keys[1:]), 1, H, V)
    return inside(call) + pairs.planned(dtype).cost(dtype)


@register(ChannelGate)
def channel_gate(call):
    """The small network; all positions meet in the pooled features."""
    return dataclasses.replace(inside(call), longest_path=1) + Cost(activation_bytes=call.output_bytes)


@register(layers.GlimpseSensor)
def glimpse_sensor(call):
    """Area means of the wider patches: a product for the rows, and one for the columns."""
    layer, (B, *_, C) = call.layer, call.first
    widths = [w for w in patch_widths(layer.size, layer.scales, layer.factor) if w != layer.size]
    return product(call, B * C * sum(layer.size * w * (w + layer.size) for w in widths))


@register(layers.MultiScaleSpatialPooling)
def multi_scale_spatial_pooling(call):
    """Resizes the averages of each scale by two products."""
    B, Y, X, C = _channels_last(call)
    scales = [(Y // p, X // p) for p in call.layer.pool_sizes if p > 1]
    return product(call, B * C * Y * sum(x * (y + X) for y, x in scales))


@register(layers.MultiChannelAttentionSelection)
def multi_channel_attention_selection(call):
    """The convolutions, and a weighted sum over candidates."""
    B, Y, X, _ = _channels_last(call)
    return inside(call) + product(call, B * Y * X * call.layer.num_candidates * call.layer.image_channels)
