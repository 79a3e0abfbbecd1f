"""All heads of all layers at a glance."""

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.types import Figure, LayerScores
from keras_attention.visualize.inputs import require_layers
from keras_attention.visualize.labels import drawable
from keras_attention.visualize.style import FONT_SIZE, LETTER, SEQUENTIAL, WIDTH, matplotlib, new_figure, wide_enough

LARGEST, GAP = 1.2, 0.02  # inches: a heat map among few, and half of the space between two


def plot_heads(
    scores: LayerScores,
    *,
    query_mask: ArrayLike | None = None,
    key_mask: ArrayLike | None = None,
    title: str | None = None,
) -> Figure:
    """Plots the attention scores of all heads of all layers as small heat maps: a row per layer, a column per head.

    Rows of a map are queries, columns are keys, and darker cells are higher scores. Each map has its own color scale,
    from 0 to its maximum, so that heads that spread their attention have a pattern, too; `plot_attention` compares the
    heads of one layer on one scale.

    Args:
        scores: Dict or list of the scores of one sample, each [N, T, S] or [1, N, T, S], such as
            `attention_scores(model, inputs)` of one input. Layers may differ in N, T and S.
        query_mask: Boolean or integer array [T]: True marks positions that take part. The rows of others, padding, are
            not drawn.
        key_mask: The same of the columns, [S].
        title: String above the figure.

    Returns:
        `matplotlib.figure.Figure`, at most 7 inches wide. Rows are named by what the paths of the layers do not share.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the scores are not those of one sample, or a mask has another shape, a floating type, or no
            position that takes part.

    Example:

    >>> figure = plot_heads({"block_0/attention": np.ones((2, 3, 3)), "block_1/attention": np.ones((2, 3, 3))})
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()], len(figure.axes[0].images)
    (['block_0', 'block_1'], 4)
    """
    names, layers = require_layers(scores, query_mask, key_mask)
    across = max(len(layer) for layer in layers)
    style, names, [title] = drawable(names, [title or ""])
    margin = LETTER * max(map(len, names)) + 0.3
    side = min(LARGEST, (WIDTH - margin) / across)
    heights = [side * min(2.0, max(0.5, layer.shape[1] / layer.shape[2])) for layer in layers]
    figure = new_figure(wide_enough(margin + across * side, title), sum(heights) + 0.5 + 0.3 * bool(title))
    # All maps are in one panel, in inches: a panel each would take seconds.
    axes = figure.subplots()
    axes.set_anchor("NW")  # The room for labels is measured from there.
    lower = np.cumsum(heights)
    for layer, bottom, height in zip(layers, lower, heights):
        for head, values in enumerate(layer):
            _draw(axes, values, (head * side, (head + 1) * side, bottom, bottom - height))
    heading = "head {}" if LETTER * len("head 10") < side else "{}"
    axes.set(xlim=(0, across * side), ylim=(lower[-1], 0), aspect="equal")
    axes.set_yticks(lower - np.divide(heights, 2), names, fontsize=FONT_SIZE, **style)
    headings = [heading.format(head) for head in range(across)]
    axes.set_xticks((np.arange(across) + 0.5) * side, headings, fontsize=FONT_SIZE)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=FONT_SIZE, **style)
    return figure


def _draw(axes, values, extent):
    """One heat map with a thin frame, and a gap around it."""
    left, right, bottom, top = np.add(extent, (GAP, -GAP, -GAP, GAP))
    highest = max(float(values.max()), np.finfo("float32").tiny)
    scale = {"cmap": SEQUENTIAL, "vmin": 0.0, "vmax": highest, "interpolation": "nearest"}
    axes.imshow(values, extent=(left, right, bottom, top), **scale)
    frame = {"fill": False, "color": "0.4", "linewidth": 0.6}
    axes.add_patch(matplotlib("patches").Rectangle((left, top), right - left, bottom - top, **frame))
