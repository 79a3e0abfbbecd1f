"""Formulas become MathML while the pages are made, so that they show without scripts from elsewhere."""

import html
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.S)


def on_page_content(content, **kwargs):
    def to_mathml(match):
        return convert(html.unescape(match[2]), display="block" if match[1] == "div" else "inline")

    return FORMULA.sub(to_mathml, content)
