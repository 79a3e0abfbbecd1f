"""MkDocs hook: converts formulas to MathML at build time, so that pages need no external scripts."""

import html
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.S)


def on_page_content(content, **kwargs):
    def to_mathml(match):
        return convert(html.unescape(match[2]), display="block" if match[1] == "div" else "inline")

    return FORMULA.sub(to_mathml, content)
