"""An interactive page of attention scores, in one HTML file."""

import base64
import html as markup
import json
import pathlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.types import LayerScores, PathLike
from keras_attention.visualize.inputs import kept, require_layers
from keras_attention.visualize.labels import require_labels
from keras_attention.visualize.page_template import PAGE

STEPS = 255  # of the scores of a head, from 0 to their maximum


def html(
    scores: LayerScores,
    tokens: str | Sequence[str],
    key_tokens: str | Sequence[str] | None = None,
    *,
    query_mask: ArrayLike | None = None,
    key_mask: ArrayLike | None = None,
    title: str = "Attention",
    path: PathLike | None = None,
) -> str:
    """Writes an interactive page of the attention of all heads and layers: one HTML file that works offline.

    A table of small heat maps, a row per layer and a column per head, chooses the head. Below are its queries and its
    keys as text: the pointer (or the tab key) on a query shades the keys by its scores; a click keeps it, and the
    pointer on a key shows the number. Tokens may be in any script; the fonts are the browser's.

    The page sends no request: scripts, styles and data are inside, and its content security policy allows nothing else.
    Scores are stored as bytes, 0 to 255, of the maximum of their head: they differ from the given ones by at most
    1/510 of it. The size is about 4/3 bytes per score.

    Args:
        scores: Dict or list of the scores of one sample, each [N, T, S] or [1, N, T, S] with one T and one S, such as
            `attention_scores(model, inputs)` of an encoder.
        tokens: T strings, those of the queries: a string (one character each) or a sequence of strings.
        key_tokens: S strings, those of the keys; `None`: the same as `tokens`.
        query_mask: Boolean or integer array [T]: True marks positions that take part. Others, padding, are left out.
        key_mask: The same of the keys, [S]; `None`: that of the queries if `key_tokens` is `None`, too.
        title: String above the page.
        path: Path of the file to write, or `None`.

    Returns:
        The page as a string, also when it is written.

    Raises:
        ValueError: If the layers have several T or S, the number of tokens is wrong, or a mask has another shape, a
            floating type, or no position that takes part.

    Example:

    >>> page = html({"block_0": np.eye(3)[np.newaxis]}, ["a", "<b>", "c"], title="a < b")
    >>> "<title>a &lt; b</title>" in page, "<b>" in page
    (True, False)
    """
    if key_tokens is None:
        key_tokens = tokens
        key_mask = query_mask if key_mask is None else key_mask
    names, layers = require_layers(scores, query_mask, key_mask)
    shapes = [np.shape(layer)[-2:] for layer in (scores.values() if isinstance(scores, dict) else scores)]
    if len(set(shapes)) > 1:
        raise ValueError(f"`scores` must be of layers with one T and one S. Received: (T, S) of the layers {shapes}")
    T, S = shapes[0]
    data = {
        "layers": [{"name": name, **_packed(layer)} for name, layer in zip(names, layers)],
        "queries": _texts(tokens, T, "tokens", query_mask),
        "keys": _texts(key_tokens, S, "key_tokens", key_mask),
    }
    # In a script, only "<" could end it or begin a comment.
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"title": markup.escape(title), "data": content}
    page = re.sub(r"\$(title|data)\b", lambda match: parts[match[1]], PAGE)
    if path is not None:
        pathlib.Path(path).write_text(page, encoding="utf-8")
    return page


def _texts(tokens, length, name, mask):
    tokens = require_labels(tokens, length, name)
    return [tokens[position] for position in kept(mask, length, "mask")]


def _packed(layer):
    """Scores [N, T, S] as base64 of bytes, and the maximum of each head."""
    tops = np.maximum(layer.max(axis=(1, 2), keepdims=True), np.finfo("float32").tiny)
    steps = np.rint(np.clip(layer / tops, 0, 1) * STEPS).astype("uint8")
    return {"tops": tops.ravel().tolist(), "scores": base64.b64encode(steps.tobytes()).decode("ascii")}
