"""Griffe extension: rewrites sections of Keras docstrings as Google-style sections that mkdocstrings understands."""

import re

import griffe

DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1\S.*)*", re.M)


class KerasDocstrings(griffe.Extension):
    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = to_google_style(obj.docstring.value)


def to_google_style(text):
    text = re.sub(r"^( *)Call arguments:$", r"\1Other Parameters: Call arguments", text, flags=re.M)
    text = re.sub(r"^( *)Examples?:$", r"\1**Example**", text, flags=re.M)
    return DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", text)
