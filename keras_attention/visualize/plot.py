"""Heat maps of attention scores."""

import math
import unicodedata
import warnings

import numpy as np

CELL = 0.27  # inches: room for one character of `FONT_SIZE` points
FONT_SIZE = 11
FONT = "DejaVu Sans"  # comes with matplotlib


def plot_attention(scores, query_labels=None, key_labels=None, *, title=None, query_title=None, key_title=None):
    """Plots attention scores as heat maps: one row per query, one column per key, one panel per head.

    Darker cells are higher scores; all panels share one color scale, from zero.

    Labels may be in any script: characters that matplotlib's default font lacks (Chinese, Japanese, Korean, Thai,
    Indic scripts and others) use another installed font; a character that no installed font has is written as its
    code point, `U+5E74`, with a warning. A space is written as an open box.

    Args:
        scores: Array [T, S], or [N, T, S] for one panel per head. One sample, not a batch.
        query_labels: T row labels: a string (one character each) or a sequence of strings; `None`: numbers.
        key_labels: S column labels.
        title: String above the figure.
        query_title: String beside the rows.
        key_title: String below the columns.

    Returns:
        `matplotlib.figure.Figure`: `figure.savefig("attention.png")`. Nothing is shown and nothing stays open.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the rank of `scores` or the number of labels is wrong.

    Example:

    >>> scores = np.eye(3) * 0.9
    >>> plot_attention(scores, "año", ["y", "ea", "r"], title="es -> en").axes[0].get_title()
    ''
    """
    figure_class = _import_figure()
    scores = _require_panels(scores)
    N, T, S = scores.shape
    rows, columns = _labels(query_labels, T, "query_labels"), _labels(key_labels, S, "key_labels")
    across = min(N, max(1, round(math.sqrt(N * T / S))))
    down = math.ceil(N / across)
    fonts, rows, columns, titles = _drawable(rows, columns, [title or "", query_title or "", key_title or ""])
    margins = 0.6 + CELL * max(map(len, rows)) / 2, 0.6 + CELL * max(map(len, columns)) / 2
    size = (across * (S * CELL + margins[0]) + 0.9, down * (T * CELL + margins[1]) + 0.4 * bool(title))
    figure = figure_class(figsize=size, layout="constrained")
    style = {"family": fonts, "parse_math": False}
    panels = figure.subplots(down, across, squeeze=False).ravel()
    top = max(float(scores.max()), np.finfo("float32").tiny)
    for head, panel in enumerate(panels):
        if head >= N:
            panel.set_axis_off()
            continue
        image = panel.imshow(scores[head], cmap="Blues", vmin=0.0, vmax=top)
        _write_labels(panel, rows, columns, style)
        panel.set_title(f"head {head}" if N > 1 else "", fontsize=FONT_SIZE)
        panel.set_ylabel(titles[1], **style)
        panel.set_xlabel(titles[2], **style)
    figure.colorbar(image, ax=list(panels), shrink=0.8, label="attention")
    if title:
        figure.suptitle(titles[0], **style)
    return figure


def _import_figure():
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "`plot_attention` draws with matplotlib: pip install keras-attention-layers[visualize]"
        ) from error
    return Figure


def _require_panels(scores):
    scores = np.asarray(scores, "float32")
    if scores.ndim not in (2, 3) or 0 in scores.shape:
        raise ValueError(
            "`scores` must be [T, S] or [N, T, S]: one sample, such as `scores[0]` of a batch [B, N, T, S]. "
            f"Received: scores.shape={scores.shape}"
        )
    return scores if scores.ndim == 3 else scores[None]


def _labels(labels, length, name):
    labels = list(map(str, range(length) if labels is None else labels))
    if len(labels) != length:
        raise ValueError(f"`{name}` must be {length} labels, as `scores`. Received: {len(labels)} labels, {labels!r}")
    return [_visible(label) for label in labels]


def _visible(label):
    """Replaces spaces by open boxes and escapes control characters, which would give empty or broken labels."""
    if label in ("", " "):
        return "\N{OPEN BOX}" * len(label)
    return "".join(c if unicodedata.category(c) != "Cc" else repr(c)[1:-1] for c in label)


def _drawable(*labellings):
    """Returns the fonts that cover all labels, and the labels, with code points for uncovered characters."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    fonts = [FONT]
    wanted = {ord(c) for labels in labellings for label in labels for c in label}
    wanted -= {ord("\n"), *get_font(findfont(FontProperties(family=FONT))).get_charmap()}
    for entry in fontManager.ttflist if wanted else ():
        covered = wanted & set(get_font(entry.fname).get_charmap())
        # Fonts of last resort cover every character with a box.
        if covered and entry.name not in fonts and "LastResort" not in entry.name.replace(" ", ""):
            fonts.append(entry.name)
            wanted -= covered
    if wanted:
        missing = "".join(map(chr, sorted(wanted)))
        warnings.warn(f"No installed font draws {missing!r}: written as code points.", stacklevel=3)
    code_points = {c: f"U+{c:04X}" for c in wanted}
    return fonts, *([label.translate(code_points) for label in labels] for labels in labellings)


def _write_labels(panel, rows, columns, style):
    panel.set_yticks(range(len(rows)), rows, fontsize=FONT_SIZE, **style)
    panel.set_xticks(range(len(columns)), columns, fontsize=FONT_SIZE, **style)
    for text in panel.get_xticklabels():
        text.set_rotation(0 if len(text.get_text()) == 1 else 90)
    panel.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    panel.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=0.5)
    panel.tick_params(which="both", length=0)
