"""Where a non-local block looks from one of two patches, over the frames of clips."""

import numpy as np
from pairs_data import PATCH
from pairs_learning import middles

from keras_attention.visualize.style import FONT_SIZE, HEAT, PALETTE, new_figure


def plot_maps(inputs, scores, corners, words):
    """Plots the frames of each clip, and beside them the scores of the query in the middle of its first patch.

    The last pixels, which lie beyond the positions of the feature map, are left out. Each clip has its own color scale.

    Args:
        inputs: Clips [B, FRAMES, SIDE, SIDE, 1].
        scores: [B, FRAMES, side, side].
        corners: Int [B, 2, 3], see `pairs_data.clips`.
        words: B strings, at the left of each clip.

    Returns:
        `matplotlib.figure.Figure`.
    """
    number, frames = scores.shape[:2]
    seen = middles(scores.shape[-1])[-1] + 2
    figure = new_figure(7, 0.85 * number + 0.4)
    halves = figure.subfigures(1, 2)
    for half, title in zip(halves, ("frames", "scores of the marked position")):
        half.suptitle(title, fontsize=FONT_SIZE)
    grid = np.concatenate([half.subplots(number, frames, squeeze=False) for half in halves], axis=1)
    for row, clip, maps, (first, _), word in zip(grid, inputs[:, :, :seen, :seen, 0], scores, corners, words):
        for f, (plain, mapped) in enumerate(zip(row[:frames], row[frames:])):
            for axes in (plain, mapped):
                axes.imshow(clip[f], cmap="gray", vmin=-1.5, vmax=1.5)
                axes.set_xticks([])
                axes.set_yticks([])
            extent = (-0.5, seen - 0.5, seen - 0.5, -0.5)
            mapped.imshow(maps[f], cmap=HEAT, alpha=0.65, vmin=0, vmax=maps.max(), extent=extent)
            if f == first[0]:
                y, x = np.minimum(first[1:] + PATCH / 2, seen - 1)
                mapped.plot(x, y, "o", color=PALETTE[0], markersize=5, markeredgecolor="white")
        row[0].set_ylabel(word, fontsize=FONT_SIZE)
    return figure
