"""The description for a package index, from the README; everything else is in setup.cfg and pyproject.toml."""

import pathlib
import re

FILE = r"\((?!https?:)[^)]*\)"  # the address in a link to a file
PICTURE = rf"!\[[^]]*\]{FILE}"


def description(readme):
    """The README without pictures and links to files, which lead nowhere on an index; links to the web stay."""
    text = re.sub(rf"^(?:\[{PICTURE}\]{FILE}|{PICTURE})\n\n", "", readme, flags=re.M)
    text = re.sub(rf"\s\(\[[^]]+\]{FILE}\)", "", text)  # "... ([results](page.md))"
    return re.sub(rf"\[([^]]+)\]{FILE}", r"\1", text)


if __name__ == "__main__":
    from setuptools import setup

    setup(long_description=description((pathlib.Path(__file__).parent / "README.md").read_text(encoding="utf-8")))
