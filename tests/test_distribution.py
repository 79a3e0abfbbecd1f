"""What a package index and a citation show."""

import pathlib
import re
import runpy

import keras_attention

ROOT = pathlib.Path(__file__).parents[1]
description = runpy.run_path(str(ROOT / "setup.py"))["description"]


def test_links_to_files_become_text():
    readme = "# A\n\n[![Map](a.png)](b.md)\n\n![Other](c.png)\n\nSee [this](d.md#e), [that](https://x.org/y).\nDone\n([results](f.md)).\n"
    assert description(readme) == "# A\n\nSee this, [that](https://x.org/y).\nDone.\n"


def test_the_description_of_the_index_has_no_links_to_files():
    readme = (ROOT / "README.md").read_text()
    text = description(readme)
    assert re.search(r"\]\((?!https?:)", readme) and not re.search(r"!\[|\]\((?!https?:)", text)
    whole = re.compile(r"^#+ [^\n]*|^```bash\n.*?^```", re.M | re.S)
    assert len(whole.findall(readme)) > 15 and whole.findall(text) == whole.findall(readme)


def test_the_citation_is_of_this_version():
    assert f"\nversion: {keras_attention.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_type_checkers_read_the_annotations():
    """`py.typed` says that they are meant to; `MANIFEST.in` puts every file of the package into the wheel."""
    assert (ROOT / "keras_attention" / "py.typed").is_file()
    assert "\ngraft keras_attention\n" in (ROOT / "MANIFEST.in").read_text()
    setup = (ROOT / "setup.cfg").read_text()
    assert "\n    Typing :: Typed\n" in setup and "\ninclude_package_data = True\n" in setup
