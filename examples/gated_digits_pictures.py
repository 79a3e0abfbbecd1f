"""Pictures of the images with a cue, of the answers to them, and of the gates by cue."""

import keras
import numpy as np
from gate_means import show_gates
from gated_digits_data import CHANNELS, TEXTURES, ZONE

from keras_attention import visualize
from keras_attention.visualize.style import WIDTH, new_figure

COLORS = np.eye(3)  # RGB of the channels


def responses(model, layer, images):
    """How much each input channel of a layer changes where the digit of a color is removed: [3, C], mean over images.

    Args:
        model: `keras.Model`.
        layer: Name of a layer with one input [B, Y, X, C].
        images: [B, Y, X, 3].
    """
    inputs = keras.Model(model.inputs, model.get_layer(layer).input)
    before, changes = inputs.predict_on_batch(images), []
    for channel in range(len(CHANNELS)):
        without = images.copy()
        without[:, :, ZONE:, channel] = 0
        changes.append(np.abs(inputs.predict_on_batch(without) - before).mean(axis=(0, 1, 2)))
    return np.stack(changes)


def plot_gates_by_cue(gates, changes):
    """Plots gates, a panel for each layer with a row for each cue, above the color that each channel responds to most.

    Channels are sorted by that color, and then by how much wider open their gates are for its cue.

    Args:
        gates: {path of a layer: [3, C]}.
        changes: The same of `responses`.
    """
    figure = new_figure(WIDTH, 1.9 * len(gates))
    rows = figure.subplots(2 * len(gates), height_ratios=(3, 0.5) * len(gates), squeeze=False)[:, 0]
    for above, below, (path, values) in zip(rows[::2], rows[1::2], gates.items()):
        color, channels = changes[path].argmax(axis=0), np.arange(values.shape[1])
        order = np.lexsort((-values[color, channels] + values.mean(axis=0), color))
        shown = show_gates(above, values[:, order], path)
        above.set_yticks(range(len(CHANNELS)), [f"{channel} cue" for channel in CHANNELS])
        below.imshow(0.85 * COLORS[color[order]][None], aspect="auto", interpolation="nearest")
        below.set_yticks([0], ["responds to"])
        for start in np.flatnonzero(np.diff(color[order])):
            above.axvline(start + 0.5, color="black", linewidth=1)
        below.set_xticks([])
    figure.colorbar(shown, ax=list(rows), label="gate")
    return figure


def plot_answers(images, shown, answers):
    """Plots each image above what networks answer.

    Args:
        images: [rows, 3, Y, X, 3], the same digits in each row, with each cue.
        shown: [rows, 3], the digits of an image.
        answers: {name of a network: [rows, 3]}.
    """
    rows = len(images)
    figure = new_figure(WIDTH, 1.05 * rows + 0.5)
    for row, line in enumerate(figure.subplots(rows, len(CHANNELS), squeeze=False)):
        for cue, axes in enumerate(line):
            axes.imshow(images[row, cue], interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            said = ", ".join(f"{name} {found[row][cue]}" for name, found in answers.items())
            axes.set_xlabel(f"class {shown[row][cue]}: {said}", fontsize=9)
            if not row:
                axes.set_title(f"{TEXTURES[cue]}:\n{CHANNELS[cue]}", fontsize=10)
    return figure


def plot_spatial_gates(model, images):
    """Plots the spatial gates of all layers of a model over the images, each map from 0 to its maximum."""
    found = {path: gates for path, gates in visualize.gates(model, images).items() if gates.ndim == 3}
    size = images.shape[1:3]
    maps = [keras.ops.image.resize(gates[..., None], size, "nearest")[..., 0] for gates in found.values()]
    labels = [f"stage {number}" for number in range(1, len(maps) + 1)]
    return visualize.overlay(images, np.stack(maps, axis=1), labels=labels)
