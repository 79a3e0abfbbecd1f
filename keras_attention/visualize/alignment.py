"""The alignment of a target with its source."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.types import Figure
from keras_attention.visualize.plot import plot_attention


def plot_alignment(
    scores: ArrayLike, source: str | Sequence[str], target: str | Sequence[str], *, title: str | None = None
) -> Figure:
    """Plots which source tokens each target token attends to, as in figure 3 of Bahdanau et al. (2015).

    Rows are target tokens, columns source tokens; heads are averaged. Padding needs no mask: rows and columns beyond
    the tokens are not drawn.

    Args:
        scores: Array [T, S] or [N, T, S] of one sample, such as
            `attention_scores(model, inputs)["decoder/attention"][0]`.
        source: At most S tokens: a string (one character each) or a sequence of strings. Any script, as for
            `plot_attention`.
        target: At most T tokens, those whose prediction attends.
        title: String above the figure.

    Returns:
        `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the rank of `scores` is wrong, or there are no tokens, or more than rows or columns.

    Source: [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473).

    Example:

    >>> scores = np.eye(4)[[0, 2, 1, 3]]  # the last row and column are padding
    >>> axes = plot_alignment(scores, ["accord", "économique", "."], ["economic", "agreement", "."]).axes[0]
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['accord', 'économique', '.']
    """
    scores = np.asarray(scores, "float32")
    if scores.ndim not in (2, 3):
        raise ValueError(f"`scores` must be [T, S] or [N, T, S]. Received: shape {scores.shape}")
    scores = scores if scores.ndim == 2 else scores.mean(axis=0)
    for tokens, size, name in ((source, scores.shape[1], "source"), (target, scores.shape[0], "target")):
        if not 0 < len(tokens) <= size:
            raise ValueError(f"`{name}` must have 1 to {size} tokens. Received: {len(tokens)}")
    scores = scores[: len(target), : len(source)]
    return plot_attention(scores, target, source, title=title, query_title="target", key_title="source")
