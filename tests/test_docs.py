"""The Python blocks of the README and of the pages run."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FRAGMENTS = {"serving.md"}  # its blocks need a trained model and a running server
SLOW = {"recipes.md"}  # trains five networks
PAGES = [
    pytest.param(page, marks=pytest.mark.slow) if page.name in SLOW else page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in FRAGMENTS and "```python\n" in page.read_text()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.S | re.M)
    exec(compile("\n".join(blocks), page.name, "exec"), {"__name__": page.stem})


TEXTS = {page: page.read_text() for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))}


def test_pages_that_load_a_model_import_the_library_before():
    loading = {page.name for page, text in TEXTS.items() if "load_model" in text}
    assert {"first_model.md", "recipes.md"} <= loading
    assert loading == {
        page.name for page, text in TEXTS.items() if "load_model" in text and "import keras_attention" in text
    }


def test_commands_name_the_environment_that_has_the_packages():
    line, inline = (
        r"^(?: {4})?(?:[A-Z_]+=\S+ )*(?:pip|python|pytest|mkdocs) .*",
        r"`(?:pip install|python|pytest) [^`]*`",
    )
    bare = re.compile(f"{line}|{inline}", re.M)
    assert bare.search("`pip install x`") and bare.search("a\n    KERAS_BACKEND=jax python b.py")
    found = {page.name: bare.findall(text) for page, text in TEXTS.items() if page.name != "releasing.md"}
    assert not {name: commands for name, commands in found.items() if commands}
