"""The API reference: each public name on one page, and what the pages are made of."""

import importlib
import importlib.util
import inspect
import pathlib
import re

import pytest

from keras_attention import layers

ROOT = pathlib.Path(__file__).parents[1]
INDEX = {f"keras_attention.{path.stem}": path.read_text() for path in (ROOT / "docs" / "api").glob("*.md")}


def module(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


reference = module("reference")


def test_names_are_those_that_people_import():
    names = list(reference.public_names())
    assert len(names) == len(set(names)) > 190
    assert {"keras_attention.decoding.greedy", "keras_attention.models.Whisper"} < set(names)


def test_a_name_without_a_heading_is_found():
    html = '<h3 id="a.b" class="doc doc-heading">b</h3> <a id="a.c">c</a> <h3 id="a.b.d" class="doc doc-heading">'
    assert reference.without_heading(["a.b", "a.c", "a.b.d", "a"], html) == ["a.c", "a"]


def test_every_public_name_has_one_line_in_an_index_page():
    listed = [f"{package}.{name}" for package, text in INDEX.items() for page in reference.pages(text) for name in page]
    assert sorted(listed) == sorted(reference.public_names())


def test_pages_and_topics_follow_the_lines_of_an_index_page():
    text = "# p\n\n- `d`\n\n## First\n\n- `a`, `b.c`\n- not a name\n- `x` is not one, either\n\n## Nothing\n\nText.\n"
    assert reference.pages(text) == [["d"], ["a", "b.c"]]
    assert reference.topics(text) == {None: [["d"]], "First": [["a", "b.c"]]}
    assert reference.page_path("api/p.md", ["a", "b.c"]) == "api/p/a.md"


def test_index_line_links_to_each_name_with_its_first_sentence():
    line = reference.index_line("- `bert`, `BERT`", "keras_attention.models")
    name, cls = line.split("\n")
    assert name.startswith(
        '- <span id="keras_attention.models.bert"></span>[`bert`][keras_attention.models.bert]: BERT '
    )
    assert cls.endswith("from token ids to a vector per token and one per sequence.")
    assert reference.index_line("Other text", "keras_attention.models") == "Other text"


def test_names_in_text_become_links():
    text = "<h2><code>CBAM</code></h2><p>See <code>CBAM</code>, <code>ops.rotate</code>, <code>rotate</code>.</p>"
    cbam = '<autoref identifier="keras_attention.layers.CBAM"><code>CBAM</code></autoref>'
    rotate = '<autoref identifier="keras_attention.ops.rotate"><code>ops.rotate</code></autoref>'
    assert reference.on_page_content(text) == (
        f"<h2><code>CBAM</code></h2><p>See {cbam}, {rotate}, <code>rotate</code>.</p>"
    )


def documented_layers():
    return {name: inspect.getdoc(cls) for name, cls in vars(layers).items() if inspect.isclass(cls)}


@pytest.mark.parametrize("section", ["Args:\n", "Call arguments:\n", "Returns:\n", "Example:"])
def test_every_layer_documents_its_use(section):
    found = {name: f"\n{section}" in text for name, text in documented_layers().items()}
    assert len(found) >= 50 and all(found.values()), [name for name, has in found.items() if not has]


def test_every_layer_shows_an_equation_or_shapes():
    shape = re.compile(r"^    .*(\[B|output *=|\[\.\.\.)", re.M)
    assert not [name for name, text in documented_layers().items() if "$$" not in text and not shape.search(text)]


def test_every_layer_cites_a_paper():
    paper = re.compile(r"\[[^\]]+\d{4}[^\]]*\]\(https?://[^)]+\)")
    assert not [name for name, text in documented_layers().items() if not paper.search(text)]


@pytest.mark.parametrize("names", reference.pages(INDEX["keras_attention.models"]), ids=lambda names: names[0])
def test_every_page_of_a_network_cites_a_paper(names):
    models = importlib.import_module("keras_attention.models")
    assert any("](http" in inspect.getdoc(getattr(models, name)) for name in names)


def test_docstrings_become_sections():
    pytest.importorskip("griffe", reason="of the documentation: pip install -e '.[docs]'")
    text = (
        "Adds.\n\nArgs:\n    x: One.\n\nReturns:\n    [B, T]: the sum.\n    - a list\n\nExample:\n\n"
        ">>> 1\n1\n\nSee docs/a/b.md."
    )
    assert module("docstrings").to_google_style(text) == (
        "Adds.\n\nArgs: Arguments:\n    x: One.\n\n**Returns:**\n\n[B, T]: the sum.\n- a list\n\n**Example:**\n\n"
        "```pycon\n>>> 1\n1\n```\n\nSee [a/b.md](../../a/b.md)."
    )


def test_picture_follows_the_first_sentence():
    pytest.importorskip("griffe", reason="of the documentation: pip install -e '.[docs]'")
    text = module("docstrings").with_picture("Like `x`\n([A, 2017](https://a.b)).\n\nMore.\n\nEnd.", "CBAM")
    assert text.split("\n\n")[1:] == ["![Like x (A, 2017).](../../images/layers/CBAM.png)", "More.", "End."]
