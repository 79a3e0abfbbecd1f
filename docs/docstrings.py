"""Griffe extension: sections of Keras docstrings as Google-style ones, and functions whose module has their name."""

import pathlib
import re
import textwrap

import griffe

DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1\S.*)*", re.M)
RETURNS = re.compile(r"^Returns:\n((?: .*\n|\n)*(?: .*))", re.M)
PICTURES = pathlib.Path(__file__).parent / "images" / "layers"


class KerasDocstrings(griffe.Extension):
    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = to_google_style(obj.docstring.value)
            if obj.is_class and (PICTURES / f"{obj.name}.png").is_file():
                obj.docstring.value = with_picture(obj.docstring.value, obj.name)

    def on_package(self, *, pkg, loader, **kwargs):
        """Documents `package.name` as the function that `__all__` means, not as the module that has its name.

        Griffe takes the module, which the pages leave out, and with it the function.
        """
        loader.resolve_aliases()  # while the modules can be found by their paths
        for package in (pkg, *_inner(pkg, packages=True)):
            for name in filter(lambda name: isinstance(name, str), package.exports or ()):  # not `*other.__all__`
                module = package.members.get(name)
                if module is not None and not module.is_alias and module.is_module and name in module.members:
                    package.members[name] = griffe.Alias(name, module.members[name], parent=package)
                    for obj in _inner(module):  # which griffe does not find any more
                        self.on_object(obj=obj)


def to_google_style(text):
    text = re.sub(r"^Args:$", "Args: Arguments:", text, flags=re.M)
    text = re.sub(r"^Call arguments:$", "Other Parameters: Call arguments:", text, flags=re.M)
    text = re.sub(r"^Examples?:", "**Example:**", text, flags=re.M)
    # Griffe would take each line for another value, and words before a colon for its type.
    text = RETURNS.sub(lambda match: f"**Returns:**\n\n{textwrap.dedent(match[1])}", text)
    text = re.sub(r"\bdocs/([\w/]+\.md)", r"[\1](../../\1)", text)
    return DOCTEST.sub(r"\1```pycon\n\g<0>\n\1```", text)


def with_picture(text, name):
    """A docstring with the picture of its layer below the first sentence, which is its alternative text, too."""
    sentence, *rest = text.split("\n\n", 1)
    words = re.sub(r"[`\[\]]|\(http[^)]*\)", "", " ".join(sentence.split()))
    return "\n\n".join([sentence, f"![{words}](../../images/layers/{name}.png)", *rest])


def _inner(parent, packages=False):
    """All members, and theirs; or only packages."""
    for member in list(parent.members.values()):
        if not member.is_alias and (not packages or (member.is_module and member.is_init_module)):
            yield member
            yield from _inner(member, packages)
