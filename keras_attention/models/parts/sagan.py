"""The blocks of the generator and the discriminator of SAGAN, wired out of layers."""

import math

import keras

from keras_attention.layers import ConditionalBatchNormalization, SelfAttention2D
from keras_attention.layers.spectral_normalization import normalised_if

SMALLEST = 4  # rows and columns of the first map of the generator, and of the last of the discriminator
WIDEST = 16  # times `channels`


class SAGANParts:
    """Adds the blocks of a network to a functional graph. Wires layers; is none itself.

    Images are [B, Y, X, C], whatever `keras.config.image_data_format()` says. All convolutions have biases.

    Args:
        spectral_normalization: Whether all kernels are divided by their greatest singular value.
        kernel_gain: The 3 × 3 kernels inside the blocks are drawn by Glorot's uniform distribution times this.
        attention_at: Tuple of map sizes that attention follows.
        attention_kwargs: Dict of arguments of `SelfAttention2D`.
        dtype: Of all layers.
    """

    def __init__(self, spectral_normalization, kernel_gain, attention_at, attention_kwargs, dtype):
        self.spectral_normalization = spectral_normalization
        self.kernel_gain = kernel_gain
        self.attention_at = attention_at
        self.attention_kwargs = attention_kwargs
        self.dtype = dtype

    def up(self, x, filters, normalise, name):
        """A block of the generator, to twice the rows and columns; `normalise(x, name)` is its normalisation."""
        y = self.relu(normalise(x, f"{name}norm1"), f"{name}relu1")
        y = self.conv(self.larger(y, f"{name}up"), filters, f"{name}conv1")
        y = self.relu(normalise(y, f"{name}norm2"), f"{name}relu2")
        y = self.conv(y, filters, f"{name}conv2")
        # It changes nothing that a 1 × 1 convolution comes before the repetition, and not after it.
        x = self.larger(self.conv(x, filters, f"{name}shortcut", 1), f"{name}shortcut_up")
        return self.attend(self.add(x, y, name), name)

    def first_down(self, x, filters, name):
        """The first block of the discriminator, which starts from the image itself."""
        y = self.relu(self.conv(x, filters, f"{name}conv1"), f"{name}relu")
        y = self.smaller(self.conv(y, filters, f"{name}conv2"), f"{name}down")
        x = self.conv(self.smaller(x, f"{name}shortcut_down"), filters, f"{name}shortcut", 1)
        return self.attend(self.add(x, y, name), name)

    def down(self, x, filters, hidden, name, halve=True):
        """A block of the discriminator, to half the rows and columns if `halve`; `hidden` channels inside."""
        y = self.conv(self.relu(x, f"{name}relu1"), hidden, f"{name}conv1")
        y = self.conv(self.relu(y, f"{name}relu2"), filters, f"{name}conv2")
        if halve:
            # It changes nothing that the mean comes before a 1 × 1 convolution, and not after it.
            x, y = self.smaller(x, f"{name}shortcut_down"), self.smaller(y, f"{name}down")
        if halve or x.shape[-1] != filters:
            x = self.conv(x, filters, f"{name}shortcut", 1)
        return self.attend(self.add(x, y, name), name) if halve else self.add(x, y, name)

    def attend(self, x, name):
        """x, with attention if maps of its size have one."""
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
        """`normalise(x, name, momentum)` for `up`, by class if there is a label."""

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
    """Channels of the maps of the generator from its second to its last, in units of `channels`."""
    blocks = int(math.log2(image_size // SMALLEST))
    return [min(2 ** (blocks - 1 - block), WIDEST) for block in range(blocks)]
