"""A generator of two digits, and discriminators that see windows of 17 pixels, with and without self-attention."""

import keras
from keras import layers

from keras_attention.layers import SelfAttention2D, SpectralNormalization

ROWS, COLUMNS, NOISE = 16, 48, 32
WIDTHS, STRIDES = (32, 48, 64, 64), (1, 2, 2, 1)  # of the discriminator's convolutions
HIDDEN = 40  # of the pointwise block: as many parameters as self-attention, less its gamma


def receptive_field():
    """Pixels along a side of the window that a position of the discriminator's map depends on."""
    size, step = 1, 1
    for stride in STRIDES:
        size, step = size + 2 * step, step * stride
    return size


def generator():
    """Noise [B, NOISE] -> images [B, ROWS, COLUMNS, 1] from -1 to 1; each pixel depends on all of the noise."""
    noise = keras.Input((NOISE,), name="noise")
    x = layers.Dense(ROWS // 4 * (COLUMNS // 4) * 64, use_bias=False)(noise)
    x = normalized(layers.Reshape((ROWS // 4, COLUMNS // 4, 64))(x))
    for width in (48, 32):
        x = normalized(layers.Conv2D(width, 3, padding="same", use_bias=False)(layers.UpSampling2D()(x)))
    return keras.Model({"noise": noise}, layers.Conv2D(1, 3, padding="same", activation="tanh")(x))


def normalized(x):
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def discriminator(block):
    """Images [B, ROWS, COLUMNS, 1] -> logits [B, 1]: convolutions, a block, and the mean over all positions.

    Args:
        block: Function of the map [B, Y, X, C] of the convolutions, such as `self_attention`.
    """
    image = keras.Input((ROWS, COLUMNS, 1), name="image")
    x = image
    for width, stride in zip(WIDTHS, STRIDES):
        x = layers.LeakyReLU(0.2)(SpectralNormalization(layers.Conv2D(width, 3, stride, padding="same"))(x))
    x = layers.LeakyReLU(0.2)(SpectralNormalization(layers.Conv2D(WIDTHS[-1], 1))(block(x)))
    return keras.Model({"image": image}, SpectralNormalization(layers.Dense(1))(layers.GlobalAveragePooling2D()(x)))


def no_block(x):
    return x


def pointwise(x):
    """A residual block of 1 x 1 convolutions."""
    hidden = layers.ReLU()(SpectralNormalization(layers.Conv2D(HIDDEN, 1, use_bias=False))(x))
    return x + SpectralNormalization(layers.Conv2D(x.shape[-1], 1, use_bias=False))(hidden)


def self_attention(x):
    return SelfAttention2D(spectral_normalization=True)(x)


BLOCKS = {"no block": no_block, "1 x 1 block": pointwise, "self-attention": self_attention}
