"""Pictures of gates of channels and positions."""

import numpy as np
from tour_drawing import assign
from tour_inputs import channels, digit, photograph

from keras_attention import layers, visualize


def squeeze_excitation():
    return _of_two_images(layers.SqueezeExcitation(ratio=2))


def channel_attention():
    return _of_two_images(layers.ChannelAttention(ratio=2))


def _of_two_images(layer):
    """The gates depend on the image."""
    images = {"photograph": photograph(48), "digit": np.repeat(digit(3, 48), 3, axis=-1)}
    found = {name: next(iter(visualize.gates(layer, channels(x)).values())) for name, x in images.items()}
    return visualize.plot_gates(found)


def spatial_attention():
    """The kernel compares the highest channel with the mean of all: edges pass."""
    x = channels(photograph(48))
    layer = layers.SpatialAttention(kernel_size=3)
    layer(x)
    [gates] = visualize.gates(assign(layer, {"conv/kernel": contrast(3)}), x).values()
    return visualize.overlay(photograph(48)[0], gates[0], labels=["gates of the positions"])


def cbam():
    x = channels(photograph(48))
    layer = layers.CBAM(ratio=2, kernel_size=3)
    layer(x)
    return visualize.plot_gates(visualize.gates(assign(layer, {"conv/kernel": contrast(3)}), x), photograph(48)[0])


def contrast(size):
    """A kernel [size, size, 2, 1] for the mean and the max of the channels."""
    return np.stack([np.full((size, size), -4.0), np.full((size, size), 2.0)], axis=-1)[..., None] / size


PICTURES = {
    "CBAM": cbam,
    "ChannelAttention": channel_attention,
    "SpatialAttention": spatial_attention,
    "SqueezeExcitation": squeeze_excitation,
}
