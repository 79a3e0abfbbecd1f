"""The hook that holds the reference to the public names; the build of the documentation runs it."""

import importlib.util
import pathlib

PATH = pathlib.Path(__file__).parents[1] / "docs" / "reference.py"
SPEC = importlib.util.spec_from_file_location("reference", PATH)
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)


def test_names_are_those_that_people_import():
    names = list(reference.public_names())
    assert len(names) == len(set(names)) > 190
    assert {"keras_attention.decoding.greedy", "keras_attention.models.Whisper"} < set(names)


def test_a_name_without_a_heading_is_found():
    html = '<h3 id="a.b" class="doc doc-heading">b</h3> <a id="a.c">c</a> <h3 id="a.b.d" class="doc doc-heading">'
    assert reference.without_heading(["a.b", "a.c", "a.b.d", "a"], html) == ["a.c", "a"]
