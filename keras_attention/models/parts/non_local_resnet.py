"""Stem and residual blocks of video ResNets (C2D and I3D)."""

import keras

from keras_attention.layers.bases.clip_pool import ClipMaxPool
from keras_attention.models.parts.resnet import EPSILON, MOMENTUM


class ClipParts:
    """Stem and residual blocks over clips [B, T, Y, X, C], in the functional API. A plain class, not a layer.

    Layer names are those of `AttentionResNet`. Every kernel wider than 1 has symmetric zero padding.

    Args:
        inflation: `None`, `"3x1x1"` or `"3x3x3"`.
        temporal_stride: Stride over time of the stem's convolution and pool.
        variant: `"paper"` or `"reference"`.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, inflation, temporal_stride, variant, dtype):
        self.inflation = inflation
        self.temporal_stride = temporal_stride
        self.variant = variant
        self.dtype = dtype

    def stem(self, x, filters):
        """Convolution and max pool: a quarter of the rows and columns."""
        frames = 1 if self.inflation is None else 5
        x = self._conv_norm(x, filters, (frames, 7, 7), (self.temporal_stride, 2, 2), "stem_")
        # Inputs are not negative, so that zero padding does not change the max.
        paper = self.variant == "paper"
        window = (3 if paper else self.temporal_stride, 3, 3)
        return self._pool(x, window, (self.temporal_stride, 2, 2), paper, "stem_pool")

    def halve_time(self, x):
        """The pool over time after the first stage."""
        paper = self.variant == "paper"
        return self._pool(x, (3 if paper else 2, 1, 1), (2, 1, 1), paper, "stage1_pool")

    def bottleneck(self, x, filters, strides, inflated, name):
        """Bottleneck block: ReLU(shortcut(x) + y), y = 1 × 1, 3 × 3 and 1 × 1 (in space) to 4 * filters channels."""
        first = 3 if inflated and self.inflation == "3x1x1" else 1
        second = 3 if inflated and self.inflation == "3x3x3" else 1
        y = self._conv_norm(x, filters, (first, 1, 1), (1, 1, 1), name, 1)
        y = self._conv_norm(y, filters, (second, 3, 3), (1, strides, strides), name, 2)
        gamma = "ones" if self.variant == "paper" else "zeros"
        y = self._conv_norm(y, 4 * filters, (1, 1, 1), (1, 1, 1), name, 3, activate=False, gamma=gamma)
        if strides != 1 or x.shape[-1] != y.shape[-1]:
            shortcut = f"{name}shortcut_"
            x = self._conv_norm(x, 4 * filters, (1, 1, 1), (1, strides, strides), shortcut, activate=False)
        x = keras.layers.Add(dtype=self.dtype, name=f"{name}add")([x, y])
        return self._relu(x, f"{name}out")

    def _conv_norm(self, x, filters, kernel_size, strides, name, number="", activate=True, gamma="ones"):
        """Convolution without bias, batch normalization and, if `activate`, ReLU."""
        x = self._pad(x, kernel_size, f"{name}pad{number}")
        x = keras.layers.Conv3D(
            filters,
            kernel_size,
            strides,
            data_format="channels_last",
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=self.dtype,
            name=f"{name}conv{number}",
        )(x)
        norm = {"gamma_initializer": gamma, "dtype": self.dtype, "name": f"{name}norm{number}"}
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, **norm)(x)
        return self._relu(x, f"{name}relu{number}") if activate else x

    def _pool(self, x, window, strides, pad, name):
        if pad:
            x = self._pad(x, window, f"{name}_pad")
        return ClipMaxPool(window, strides, dtype=self.dtype, name=name)(x)

    def _pad(self, x, window, name):
        if window == (1, 1, 1):
            return x
        edges = tuple(size // 2 for size in window)
        return keras.layers.ZeroPadding3D(edges, data_format="channels_last", dtype=self.dtype, name=name)(x)

    def _relu(self, x, name):
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)
