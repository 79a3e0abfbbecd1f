"""The blocks of residual networks for images, wired out of Keras layers."""

import keras

# What PyTorch and Caffe have; Keras's defaults are 0.99 and 1e-3.
MOMENTUM, EPSILON = 0.9, 1e-5
LAYOUTS = ("torch", "caffe")
STEMS = ("7x7", "3x3")


class ResNetParts:
    """Adds stems and residual blocks to a functional graph. Wires layers; is none itself.

    Images are [B, Y, X, C], whatever `keras.config.image_data_format()` says. Every convolution that is wider than a
    pixel sees zeros beyond the border, as many on each side.

    Args:
        layout: `"torch"`: a bottleneck that halves the map does so in its 3 × 3 convolution, and the stem's pool sees a
            row of zeros on each side. `"caffe"`: in its first 1 × 1 convolution, and the pool sees one at the end
            alone.
        dtype: Of all layers.
    """

    def __init__(self, layout, dtype):
        self.layout = layout
        self.dtype = dtype

    def stem(self, x, filters, kind):
        """The first layers, of names without a stage."""
        if kind == "3x3":
            return self.conv_norm(x, filters, 3, 1, "stem_")
        x = self.conv_norm(x, filters, 7, 2, "stem_")
        # What comes in is not negative, so that zeros are never the greatest but where all are zero.
        edge = 1 if self.layout == "torch" else 0
        x = self._pad(x, ((edge, 1), (edge, 1)), "stem_pool_pad")
        return keras.layers.MaxPooling2D(3, 2, data_format="channels_last", dtype=self.dtype, name="stem_pool")(x)

    def basic(self, x, filters, strides, name, attention=None):
        """Two 3 × 3 convolutions; see `residual`."""
        y = self.conv_norm(x, filters, 3, strides, name, 1)
        y = self.conv_norm(y, filters, 3, 1, name, 2, activate=False)
        return self.residual(x, y, strides, name, attention)

    def bottleneck(self, x, filters, strides, name, attention=None):
        """1 × 1, 3 × 3 and, to four times as many channels, 1 × 1; see `residual`."""
        first, second = (1, strides) if self.layout == "torch" else (strides, 1)
        y = self.conv_norm(x, filters, 1, first, name, 1)
        y = self.conv_norm(y, filters, 3, second, name, 2)
        y = self.conv_norm(y, 4 * filters, 1, 1, name, 3, activate=False)
        return self.residual(x, y, strides, name, attention)

    def residual(self, x, y, strides, name, attention=None):
        """ReLU(shortcut(x) + attention(y)); the shortcut is x itself, or projected where the shapes differ."""
        if attention is not None:
            y = attention(y)
        if strides != 1 or x.shape[-1] != y.shape[-1]:
            x = self.conv_norm(x, y.shape[-1], 1, strides, f"{name}shortcut_", activate=False)
        x = keras.layers.Add(dtype=self.dtype, name=f"{name}add")([x, y])
        return self._relu(x, f"{name}out")

    def conv_norm(self, x, filters, kernel_size, strides, name, number="", activate=True):
        """Convolution without bias, batch normalisation and, if `activate`, ReLU."""
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
