"""Labels in any script."""

import unicodedata
import warnings

from keras_attention.visualize.style import FONT, matplotlib


def require_labels(labels, length, name):
    """Returns `length` labels as strings with all characters visible; the default is numbers."""
    labels = list(map(str, range(length) if labels is None else labels))
    if len(labels) != length:
        raise ValueError(f"`{name}` must be {length} labels, as `scores`. Received: {len(labels)} labels, {labels!r}")
    return [_visible(label) for label in labels]


def _visible(label):
    """Replaces spaces by open boxes and escapes control characters, which would give empty or broken labels."""
    if label in ("", " "):
        return "\N{OPEN BOX}" * len(label)
    return "".join(c if unicodedata.category(c) != "Cc" else repr(c)[1:-1] for c in label)


def drawable(*labellings):
    """Returns the style of text whose fonts cover all labels, and the labels, with code points for other characters."""
    manager = matplotlib("font_manager")
    fonts = [FONT]
    wanted = {ord(c) for labels in labellings for label in labels for c in label}
    wanted -= {ord("\n"), *manager.get_font(manager.findfont(manager.FontProperties(family=FONT))).get_charmap()}
    for entry in manager.fontManager.ttflist if wanted else ():
        covered = wanted & set(manager.get_font(entry.fname).get_charmap())
        # Fonts of last resort cover every character with a box.
        if covered and entry.name not in fonts and "LastResort" not in entry.name.replace(" ", ""):
            fonts.append(entry.name)
            wanted -= covered
    if wanted:
        missing = "".join(map(chr, sorted(wanted)))
        warnings.warn(f"No installed font draws {missing!r}: written as code points.", stacklevel=3)
    code_points = {c: f"U+{c:04X}" for c in wanted}
    style = {"family": fonts, "parse_math": False}
    return style, *([label.translate(code_points) for label in labels] for labels in labellings)
