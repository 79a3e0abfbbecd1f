"""Convolutions."""

import math

import keras

from keras_attention.analyze.cost import Cost
from keras_attention.analyze.formulas.elementwise import named
from keras_attention.analyze.paths import hops
from keras_attention.analyze.registry import register


def _positions(layer, shape):
    return shape[1:-1] if layer.data_format == "channels_last" else shape[2:]


def _channels(layer, shape):
    return shape[-1] if layer.data_format == "channels_last" else shape[1]


def _path(layer, shape):
    """Steps of a stack of such layers over the longest axis; with a dilation, neighbors never meet."""
    causal = layer.padding == "causal"
    reaches = [size - 1 if causal else size // 2 for size in layer.kernel_size]
    steps = [hops(n, reach) for n, reach in zip(_positions(layer, shape), reaches, strict=True)]
    apart = any(d > 1 and n > 1 for d, n in zip(layer.dilation_rate, _positions(layer, shape), strict=True))
    return math.inf if apart else max(steps)


@register(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
def convolution(call):
    """Output positions times kernel positions times C_in / groups times C_out."""
    layer = call.layer
    inputs = _channels(layer, call.first) // layer.groups
    multiply_adds = math.prod(call.output_shape) * math.prod(layer.kernel_size) * inputs
    return Cost(multiply_adds, 0, 1, _path(layer, call.first), call.output_bytes)


@register(*named(keras.layers, "Conv1DTranspose Conv2DTranspose Conv3DTranspose"))
def transposed_convolution(call):
    """Input positions times kernel positions times C_in times C_out."""
    layer = call.layer
    multiply_adds = math.prod(call.first) * math.prod(layer.kernel_size) * layer.filters
    return Cost(multiply_adds, 0, 1, _path(layer, call.first), call.output_bytes)


@register(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
def depthwise_convolution(call):
    """Each channel by itself."""
    multiply_adds = math.prod(call.output_shape) * math.prod(call.layer.kernel_size)
    return Cost(multiply_adds, 0, 1, _path(call.layer, call.first), call.output_bytes)


@register(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
def separable_convolution(call):
    """A depthwise convolution, and a product over channels."""
    layer, shape = call.layer, call.output_shape
    positions = shape[0] * math.prod(_positions(layer, shape))
    channels = _channels(layer, call.first) * layer.depth_multiplier
    multiply_adds = positions * channels * (math.prod(layer.kernel_size) + layer.filters)
    return Cost(multiply_adds, 0, 2, _path(layer, call.first), call.output_bytes)
