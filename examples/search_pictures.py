"""Picture of a text with its words shaded by numbers."""

import collections
import textwrap

import numpy as np

FONT = "DejaVu Sans"  # comes with matplotlib
SIZE, LEADING, PAD = 10.5, 20, 2.5  # points: the letters, a line, around a word
WIDTH, MARGIN = 576, 18  # points
DARKEST = 0.6  # of a color map: black letters stay readable

Panel = collections.namedtuple("Panel", "caption values colors")  # one number a word; the name of a color map


def plot_words(words, panels, title, subtitle):
    """Plots a text once per panel: the darker a word, the larger its number; words with numbers below 0 are white.

    Args:
        words: The words of the text.
        panels: List of `Panel`.
        title: String, above the text; cut after a line.
        subtitle: String, below the title; cut after a line.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    words = drawable(words)
    positions, lines = flow(widths([*words, " "]))
    head, panel_height = MARGIN + 54, (lines + 2.2) * LEADING
    height = head + len(panels) * panel_height
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    style = {"family": FONT, "parse_math": False, "va": "baseline"}
    title, subtitle = drawable([cut(title, 64), cut(subtitle, 92)])
    axes.text(MARGIN, MARGIN + 12, title, size=13, weight="bold", **style)
    axes.text(MARGIN, MARGIN + 32, subtitle, size=SIZE, color="0.35", **style)
    for number, panel in enumerate(panels):
        top = head + number * panel_height
        axes.text(MARGIN, top + 12, panel.caption, size=SIZE, style="italic", color="0.35", **style)
        _write(axes, words, positions, top + 1.4 * LEADING, panel, style)
    return figure


def _write(axes, words, positions, top, panel, style):
    from matplotlib import colormaps
    from matplotlib.patches import FancyBboxPatch

    shades = np.clip(panel.values, 0, None) / max(np.max(panel.values), np.finfo("float32").tiny)
    for word, (x, line, width), shade in zip(words, positions, shades):
        y = top + line * LEADING
        color = colormaps[panel.colors](DARKEST * shade) if shade else "white"
        box = {"boxstyle": f"round,pad=0,rounding_size={PAD}", "facecolor": color, "edgecolor": "none"}
        axes.add_patch(FancyBboxPatch((x - PAD, y - 1), width + 2 * PAD, LEADING - 3, **box))
        axes.text(x, y + 12, word, size=SIZE, **style)


def flow(sizes):
    """Positions of words in lines, from their widths and that of a space: (x, line, width), and the number of lines."""
    *sizes, space = sizes
    x, line, positions = MARGIN, 0, []
    for width in sizes:
        if x > MARGIN and x + width > WIDTH - MARGIN:
            x, line = MARGIN, line + 1
        positions.append((x, line, width))
        x += width + space + PAD
    return positions, line + 1


def widths(words):
    """Widths of words in points."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    # Large, because widths are rounded to pixels.
    renderer, font = RendererAgg(1, 1, 720), FontProperties(family=FONT, size=SIZE)
    return [renderer.get_text_width_height_descent(word, font, ismath=False)[0] / 10 for word in words]


def cut(text, length):
    return textwrap.shorten(text, length, placeholder=" …")


def drawable(words):
    """Words with a box for each character that the font lacks."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties(family=FONT))).get_charmap()
    return ["".join(c if ord(c) in known else "\N{WHITE SQUARE}" for c in word) for word in words]
