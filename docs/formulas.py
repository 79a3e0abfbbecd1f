"""MkDocs hook: converts formulas to MathML at build time, so that pages need no scripts.

Browsers stretch brackets and place indices by the tables of a font for mathematics, which not every system has: the
site serves STIX Two Math (SIL Open Font License), which `ziamath` brings along.
"""

import html
import importlib.resources
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.S)
FONT = "fonts/STIXTwoMath-Regular.ttf"


def on_files(files, config):
    from mkdocs.structure.files import File

    files.append(File.generated(config, FONT, abs_src_path=str(importlib.resources.files("ziamath") / FONT)))
    return files


def on_page_content(content, **kwargs):
    return FORMULA.sub(lambda match: to_mathml(html.unescape(match[2]), block=match[1] == "div"), content)


def to_mathml(formula, block):
    """MathML; a formula of its own line is in a block that scrolls if it is wider than the page."""
    return f'<div class="formula">{convert(formula, display="block")}</div>' if block else convert(formula)
