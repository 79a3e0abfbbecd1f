"""Layers without products: activations, normalization, reshaping, positions, tables that are looked up."""

import math

import keras

from keras_attention import layers
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.paths import hops
from keras_attention.analyze.registry import inside, register

_KERAS = """
    Activation ELU LeakyReLU PReLU ReLU Softmax
    BatchNormalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization
    Add Average Concatenate Maximum Minimum Multiply Subtract
    Reshape Flatten Permute RepeatVector Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    UpSampling1D UpSampling2D UpSampling3D Rescaling Embedding
    GaussianNoise GaussianDropout
"""
_OURS = """
    ALiBi Bias ClassToken ConditionalBatchNormalization FirstLocation ImageGrid LabelConcatenation
    LearnedPositionEncoding LearnedPositionEncoding2D RelativePositionBias RMSNormalization RotaryEmbedding
    SinusoidalPositionEncoding SinusoidalPositionEncoding2D SplitChannels
"""
# They return their inputs when they do not train.
_NOTHING = """
    ActivityRegularization Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D Identity Masking
"""


def named(module, names):
    """The classes of these names that the module has: older versions of Keras lack some."""
    return [getattr(module, name) for name in names.split() if hasattr(module, name)]


@register(*named(keras.layers, _KERAS), *named(layers, _OURS))
def elementwise(call):
    """No products; layers inside of it may have some."""
    return inside(call) + Cost(activation_bytes=call.output_bytes)


@register(*named(keras.layers, _NOTHING), layers.UnusedConvolution)
def nothing(call):
    """Returns its input."""
    return Cost()


@register(*(getattr(keras.layers, f"Global{kind}Pooling{n}D") for kind in ("Average", "Max") for n in (1, 2, 3)))
def global_pooling(call):
    """All positions meet in one."""
    return Cost(longest_path=1, activation_bytes=call.output_bytes)


@register(*(getattr(keras.layers, f"{kind}Pooling{n}D") for kind in ("Average", "Max") for n in (1, 2, 3)))
def pooling(call):
    """Positions of one window meet."""
    shape = call.first
    positions = shape[1:-1] if call.layer.data_format == "channels_last" else shape[2:]
    reach = call.layer.pool_size
    reach = (reach,) * len(positions) if isinstance(reach, int) else reach
    path = max(hops(n, size - 1) for n, size in zip(positions, reach, strict=True))
    return Cost(longest_path=path, activation_bytes=call.output_bytes)


@register(keras.layers.Dot)
def dot(call):
    """Products of two tensors over one axis."""
    axes = call.layer.axes
    size = call.first[axes if isinstance(axes, int) else axes[0]]
    return Cost(math.prod(call.output_shape) * size, 0, 1, math.inf, call.output_bytes)
