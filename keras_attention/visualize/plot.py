"""Heat maps of attention scores."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.types import Figure
from keras_attention.visualize.inputs import kept
from keras_attention.visualize.labels import drawable, require_labels
from keras_attention.visualize.style import FONT_SIZE, SEQUENTIAL, new_figure

CELL = 0.27  # inches: room for one character of `FONT_SIZE` points


def plot_attention(
    scores: ArrayLike,
    query_labels: str | Sequence[str] | None = None,
    key_labels: str | Sequence[str] | None = None,
    *,
    query_mask: ArrayLike | None = None,
    key_mask: ArrayLike | None = None,
    title: str | None = None,
    query_title: str | None = None,
    key_title: str | None = None,
) -> Figure:
    """Plots attention scores as heat maps: one row per query, one column per key, one panel per head.

    Darker cells are higher scores; all panels share one color scale, from zero.

    Labels may be in any script: characters that matplotlib's default font lacks (Chinese, Japanese, Korean, Thai,
    Indic scripts and others) use another installed font; a character that no installed font has is written as its
    code point, `U+5E74`, with a warning. A space is written as an open box. Hebrew and Arabic need matplotlib 3.11,
    which joins letters and writes them from right to left.

    Args:
        scores: Array [T, S], or [N, T, S] for one panel per head. One sample, not a batch.
        query_labels: T row labels: a string (one character each) or a sequence of strings; `None`: numbers.
        key_labels: S column labels.
        query_mask: Boolean or integer array [T]: True marks positions that take part. The rows of others, padding, are
            not drawn.
        key_mask: The same of the columns, [S].
        title: String above the figure.
        query_title: String beside the rows.
        key_title: String below the columns.

    Returns:
        `matplotlib.figure.Figure`: `figure.savefig("attention.png")`. Nothing is shown and nothing stays open.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the rank of `scores` or the number of labels is wrong, or a mask has another shape, a
            floating type, or no position that takes part.

    Example:

    >>> scores = np.eye(3) * 0.9
    >>> plot_attention(scores, "año", ["y", "ea", "r"], title="es -> en").axes[0].get_title()
    ''
    """
    scores = _require_panels(scores)
    N, T, S = scores.shape
    rows, columns = require_labels(query_labels, T, "query_labels"), require_labels(key_labels, S, "key_labels")
    query_kept, key_kept = kept(query_mask, T, "query_mask"), kept(key_mask, S, "key_mask")
    scores = scores[:, query_kept][:, :, key_kept]
    rows, columns = [rows[t] for t in query_kept], [columns[s] for s in key_kept]
    figure, panels, style, titles = _panels(N, rows, columns, [title or "", query_title or "", key_title or ""])
    top = max(float(scores.max()), np.finfo("float32").tiny)
    for head, (panel, values) in enumerate(zip(panels, scores)):
        image = panel.imshow(values, cmap=SEQUENTIAL, vmin=0.0, vmax=top)
        panel.set_title(f"head {head}" if N > 1 else "", fontsize=FONT_SIZE)
        panel.set_ylabel(titles[1], **style)
        panel.set_xlabel(titles[2], **style)
    figure.colorbar(image, ax=panels, shrink=0.8, label="attention")
    if title:
        figure.suptitle(titles[0], **style)
    return figure


def _panels(N, rows, columns, titles):
    """An empty figure of N labelled panels, the panels, and the style and the drawable form of the titles."""
    T, S = len(rows), len(columns)
    across = min(N, max(1, round(math.sqrt(N * T / S))))
    down = math.ceil(N / across)
    style, rows, columns, titles = drawable(rows, columns, titles)
    margins = 0.6 + CELL * max(map(len, rows)) / 2, 0.6 + CELL * max(map(len, columns)) / 2
    figure = new_figure(across * (S * CELL + margins[0]) + 0.9, down * (T * CELL + margins[1]) + 0.4 * bool(titles[0]))
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    for panel in panels[:N]:
        _write_labels(panel, rows, columns, style)
    for panel in panels[N:]:
        panel.set_axis_off()
    return figure, panels, style, titles


def _require_panels(scores):
    scores = np.asarray(scores, "float32")
    if scores.ndim not in (2, 3) or 0 in scores.shape:
        raise ValueError(
            "`scores` must be [T, S] or [N, T, S]: one sample, such as `scores[0]` of a batch [B, N, T, S]. "
            f"Received: scores.shape={scores.shape}"
        )
    return scores if scores.ndim == 3 else scores[None]


def _write_labels(panel, rows, columns, style):
    panel.set_yticks(range(len(rows)), rows, fontsize=FONT_SIZE, **style)
    panel.set_xticks(range(len(columns)), columns, fontsize=FONT_SIZE, **style)
    for text in panel.get_xticklabels():
        text.set_rotation(0 if len(text.get_text()) == 1 else 90)
    panel.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    panel.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=0.5)
    panel.tick_params(which="both", length=0)
