"""What Keras's docstrings have and Google's style has not, in terms that the generator of the reference knows."""

import re

import griffe

DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1\S.*)*", re.M)


class KerasDocstrings(griffe.Extension):
    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = known(obj.docstring.value)


def known(text):
    text = re.sub(r"^( *)Call arguments:$", r"\1Other Parameters: Call arguments", text, flags=re.M)
    text = re.sub(r"^( *)Examples?:$", r"\1**Example**", text, flags=re.M)
    return DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", text)
