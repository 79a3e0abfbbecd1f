"""Stem and residual blocks of image ResNets."""

import keras

# As in PyTorch and Caffe; Keras's defaults are 0.99 and 1e-3.
MOMENTUM, EPSILON = 0.9, 1e-5
LAYOUTS = ("torch", "caffe")
STEMS = ("7x7", "3x3")


class ResNetParts:
    """Stem and residual blocks in the functional API. A plain class, not a layer.

    Images are [B, Y, X, C], independent of `keras.config.image_data_format()`. Every convolution wider than a pixel
    has symmetric zero padding.

    Args:
        layout: `"torch"`: a bottleneck has its stride in the 3 × 3 convolution, and the stem's pool is padded on both
            sides. `"caffe"`: the stride is in the first 1 × 1 convolution, and the pool is padded at the end only.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, layout, dtype):
        self.layout = layout
        self.dtype = dtype

    def stem(self, x, filters, kind):
        """The stem: one convolution and, except for `"3x3"`, a max pool."""
        if kind == "3x3":
            return self.conv_norm(x, filters, 3, 1, "stem_")
        x = self.conv_norm(x, filters, 7, 2, "stem_")
        # Inputs are not negative, so that zero padding does not change the max.
        edge = 1 if self.layout == "torch" else 0
        x = self._pad(x, ((edge, 1), (edge, 1)), "stem_pool_pad")
        return keras.layers.MaxPooling2D(3, 2, data_format="channels_last", dtype=self.dtype, name="stem_pool")(x)

    def basic(self, x, filters, strides, name, attention=None):
        """Basic block: two 3 × 3 convolutions; see `residual`."""
        y = self.conv_norm(x, filters, 3, strides, name, 1)
        y = self.conv_norm(y, filters, 3, 1, name, 2, activate=False)
        return self.residual(x, y, strides, name, attention)

    def bottleneck(self, x, filters, strides, name, attention=None):
        """Bottleneck block: 1 × 1, 3 × 3 and 1 × 1 to 4 * filters channels; see `residual`."""
        first, second = (1, strides) if self.layout == "torch" else (strides, 1)
        y = self.conv_norm(x, filters, 1, first, name, 1)
        y = self.conv_norm(y, filters, 3, second, name, 2)
        y = self.conv_norm(y, 4 * filters, 1, 1, name, 3, activate=False)
        return self.residual(x, y, strides, name, attention)

    def residual(self, x, y, strides, name, attention=None):
        """ReLU(shortcut(x) + attention(y)); the shortcut is x, projected if the shapes differ."""
        if attention is not None:
            y = attention(y)
        if strides != 1 or x.shape[-1] != y.shape[-1]:
            x = self.conv_norm(x, y.shape[-1], 1, strides, f"{name}shortcut_", activate=False)
        x = keras.layers.Add(dtype=self.dtype, name=f"{name}add")([x, y])
        return self._relu(x, f"{name}out")

    def conv_norm(self, x, filters, kernel_size, strides, name, number="", activate=True):
        """Convolution without bias, batch normalization and, if `activate`, ReLU."""
        if strides > 1 and kernel_size > 1:
            edge = kernel_size // 2
            x = self._pad(x, ((edge, edge), (edge, edge)), f"{name}pad{number}")
        x = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding="same" if strides == 1 else "valid",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
            dtype=self.dtype,
            name=f"{name}conv{number}",
        )(x)
        x = keras.layers.BatchNormalization(
            momentum=MOMENTUM, epsilon=EPSILON, dtype=self.dtype, name=f"{name}norm{number}"
        )(x)
        return self._relu(x, f"{name}relu{number}") if activate else x

    def _relu(self, x, name):
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)

    def _pad(self, x, padding, name):
        return keras.layers.ZeroPadding2D(padding, data_format="channels_last", dtype=self.dtype, name=name)(x)
