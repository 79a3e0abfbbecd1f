"""Residual blocks of SAGAN's generator and discriminator."""

import math

import keras

from keras_attention.layers import ConditionalBatchNormalization, SelfAttention2D
from keras_attention.layers.spectral_normalization import normalised_if

SMALLEST = 4  # rows and columns of the first map of the generator, and of the last of the discriminator
WIDEST = 16  # times `channels`


class SAGANParts:
    """Residual blocks of SAGAN in the functional API. A plain class, not a layer.

    Images are [B, Y, X, C], independent of `keras.config.image_data_format()`. All convolutions have biases.

    Args:
        spectral_normalization: Whether to divide all kernels by their largest singular value.
        kernel_gain: Gain of the Glorot uniform initializer of the 3 × 3 kernels in the blocks.
        attention_at: Tuple of sizes of the feature maps that get self-attention.
        attention_kwargs: Dict of arguments of `SelfAttention2D`.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, spectral_normalization, kernel_gain, attention_at, attention_kwargs, dtype):
        self.spectral_normalization = spectral_normalization
        self.kernel_gain = kernel_gain
        self.attention_at = attention_at
        self.attention_kwargs = attention_kwargs
        self.dtype = dtype

    def up(self, x, filters, normalise, name):
        """Generator block, upsampling by 2; `normalise(x, name)` applies its batch normalization."""
        y = self.relu(normalise(x, f"{name}norm1"), f"{name}relu1")
        y = self.conv(self.larger(y, f"{name}up"), filters, f"{name}conv1")
        y = self.relu(normalise(y, f"{name}norm2"), f"{name}relu2")
        y = self.conv(y, filters, f"{name}conv2")
        # A 1 × 1 convolution commutes with nearest-neighbor upsampling, and costs less before it.
        x = self.larger(self.conv(x, filters, f"{name}shortcut", 1), f"{name}shortcut_up")
        return self.attend(self.add(x, y, name), name)

    def first_down(self, x, filters, name):
        """First discriminator block, on the image, without a ReLU before its first convolution."""
        y = self.relu(self.conv(x, filters, f"{name}conv1"), f"{name}relu")
        y = self.smaller(self.conv(y, filters, f"{name}conv2"), f"{name}down")
        x = self.conv(self.smaller(x, f"{name}shortcut_down"), filters, f"{name}shortcut", 1)
        return self.attend(self.add(x, y, name), name)

    def down(self, x, filters, hidden, name, halve=True):
        """Discriminator block, downsampling by 2 if `halve`; `hidden` channels between the convolutions."""
        y = self.conv(self.relu(x, f"{name}relu1"), hidden, f"{name}conv1")
        y = self.conv(self.relu(y, f"{name}relu2"), filters, f"{name}conv2")
        if halve:
            # A 1 × 1 convolution commutes with average pooling, and costs less after it.
            x, y = self.smaller(x, f"{name}shortcut_down"), self.smaller(y, f"{name}down")
        if halve or x.shape[-1] != filters:
            x = self.conv(x, filters, f"{name}shortcut", 1)
        return self.attend(self.add(x, y, name), name) if halve else self.add(x, y, name)

    def attend(self, x, name):
        """Self-attention on x if its size is in `attention_at`, else x."""
        if x.shape[1] not in self.attention_at:
            return x
        arguments = {"spectral_normalization": self.spectral_normalization, **self.attention_kwargs}
        place = {"data_format": "channels_last", "dtype": self.dtype, "name": f"{name}attention"}
        return SelfAttention2D(**arguments, **place)(x)

    def conv(self, x, filters, name, kernel_size=3, gain=None):
        gain = (self.kernel_gain if kernel_size > 1 else 1.0) if gain is None else gain
        conv = keras.layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            data_format="channels_last",
            kernel_initializer=keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform"),
            dtype=self.dtype,
            name=name,
        )
        return normalised_if(self.spectral_normalization, conv)(x)

    def dense(self, x, units, name):
        dense = keras.layers.Dense(units, kernel_initializer="glorot_uniform", dtype=self.dtype, name=name)
        return normalised_if(self.spectral_normalization, dense)(x)

    def batch_norm(self, label, num_classes, epsilon):
        """Returns `normalise(x, name, momentum)` for `up`: conditional batch normalization if there is a label."""

        def normalise(x, name, momentum):
            arguments = {"momentum": momentum, "epsilon": epsilon, "dtype": self.dtype, "name": name}
            if label is None:
                return keras.layers.BatchNormalization(**arguments)(x)
            return ConditionalBatchNormalization(num_classes, **arguments)(x, label)

        return normalise

    def relu(self, x, name):
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)

    def add(self, x, y, name):
        return keras.layers.Add(dtype=self.dtype, name=f"{name}add")([x, y])

    def larger(self, x, name):
        return keras.layers.UpSampling2D(2, data_format="channels_last", dtype=self.dtype, name=name)(x)

    def smaller(self, x, name):
        return keras.layers.AveragePooling2D(2, data_format="channels_last", dtype=self.dtype, name=name)(x)


def widths(image_size):
    """Channels of the generator's blocks in units of `channels`, first to last."""
    blocks = int(math.log2(image_size // SMALLEST))
    return [min(2 ** (blocks - 1 - block), WIDEST) for block in range(blocks)]
