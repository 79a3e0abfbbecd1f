"""Pictures of recurrent visual attention."""

import numpy as np
from tour_drawing import assign, pictures, scattered
from tour_inputs import digit, photograph

from keras_attention import layers
from keras_attention.visualize import overlay

EYES = np.array([[-0.25, 0.0]], "float32")


def glimpse_sensor():
    image = photograph(96)
    patches = np.asarray(layers.GlimpseSensor(size=16, scales=3)(image, EYES))[0]
    titles = ("16 pixels wide", "32 to 16", "64 to 16")
    seen = {title: patches[..., 3 * scale : 3 * scale + 3] for scale, title in enumerate(titles)}
    return pictures({"image and location": image[0], **seen}, height=2.1, marks=[(36, 48)])


def glimpse_network():
    """Glimpses of a digit like that of a point: similar content nearby."""
    image, size = digit(3, 28), 28
    layer = layers.GlimpseNetwork(size=8, glimpse_units=64, location_units=64, units=128)
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    locations = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype("float32")
    codes = np.asarray(layer(np.repeat(image, len(locations), axis=0), locations))
    codes = codes / np.linalg.norm(codes, axis=-1, keepdims=True)
    points = [(0.5, 0.55), (0.2, 0.4), (0.05, 0.05)]
    at = [int(row * size) * size + int(column * size) for row, column in points]
    similar = (codes[at] @ codes.T).reshape(len(at), size, size)
    return overlay(image[0], similar - similar.min(axis=(1, 2), keepdims=True), points)


def first_location():
    images = np.repeat(photograph(64), 40, axis=0)
    layer = layers.FirstLocation(seed=0)
    found = {"in training: uniformly random": layer(images, training=True), "otherwise: the center": layer(images)}
    return scattered(images[0], {name: np.asarray(at) for name, at in found.items()})


def location_policy():
    layer = layers.LocationPolicy(std=0.1, seed=0)
    hidden = np.repeat([[1.0, 0.0], [0.0, 1.0]], 30, axis=0).astype("float32")
    layer(hidden)
    assign(layer, {"mean/kernel": [[-0.25, 0.0], [0.6, -0.4]]})
    found = {"in training: samples": layer(hidden, training=True)[0], "otherwise: the mean": layer(hidden)[0]}
    return scattered(photograph(64)[0], {name: np.asarray(at) for name, at in found.items()})


PICTURES = {
    "FirstLocation": first_location,
    "GlimpseNetwork": glimpse_network,
    "GlimpseSensor": glimpse_sensor,
    "LocationPolicy": location_policy,
}
