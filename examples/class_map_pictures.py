"""Grad-CAM of several networks beside each other, and the spatial gate of CBAM."""

import numpy as np

from keras_attention import visualize


def samples(labels, kinds):
    """Index of the first image of each of these kinds that there is."""
    return [int(np.argmax(labels == kind)) for kind in kinds if (labels == kind).any()]


def spatial_gate(network, images):
    """The last spatial gate of CBAM, [B, y, x]; `None` without CBAM."""
    try:
        gates = visualize.gates(network, images)
    except ValueError:  # no attention
        return None
    last = [gate for gate in gates.values() if gate.ndim == 3][-1:]
    return last[0] if last else None


def part_on_black(maps, images):
    """Median part of the maps [B, Y, X] on black pixels of the images [B, Y, X, 1]; empty maps do not count."""
    sums = maps.sum(axis=(1, 2))
    parts = (maps * (images[..., 0] == 0)).sum(axis=(1, 2))[sums > 0] / sums[sums > 0]
    return float(np.median(parts))


def plot_class_maps(networks, images, inputs, classes):
    """Plots a row for each image: the image, Grad-CAM of each network, and the gate of CBAM from its least value.

    Args:
        networks: {name: model}.
        images: uint8 [B, Y, X, 1], to be drawn.
        inputs: The same images, as the networks take them.
        classes: B ints, of which Grad-CAM is.

    Returns:
        `matplotlib.figure.Figure`.
    """
    labels = [*networks]
    maps = [visualize.grad_cam(network, inputs, classes) for network in networks.values()]
    for network in networks.values():
        gate = spatial_gate(network, inputs)
        if gate is not None:
            labels.append(f"gate: {gate.min():.2f}–{gate.max():.2f}")
            maps.append(stretched(gate - gate.min(axis=(1, 2), keepdims=True), images.shape[1:3]))
    return visualize.overlay(images, np.stack(maps, axis=1), labels=labels, interpolation="bilinear")


def stretched(gate, size):
    """[B, y, x] -> [B, Y, X], bilinear."""
    from keras import ops

    return ops.convert_to_numpy(ops.image.resize(gate[..., np.newaxis], size, data_format="channels_last"))[..., 0]
