"""The Python blocks of the README and of the pages run."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FRAGMENTS = {"serving.md"}  # its blocks need a trained model and a running server
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in FRAGMENTS and "```python\n" in page.read_text()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)
    exec(compile("\n".join(blocks), page.name, "exec"), {"__name__": page.stem})
