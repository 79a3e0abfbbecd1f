import re

import pytest
from search_sections import Passage, Section, passages, read, sentences, split

PAGE = """Before the first heading: nothing.
# The `lamp` page

A [lamp](lamp.md) is **on**. It shines
in the dark, e.g. at night! `off()` stops it.

```python
# not a heading
lamp = 3
```

## Only code

    ~~~
    # neither
    ~~~

## Empty

## Table ##

| lamp | light |
|:--|--:|
| a | red, warm |
| 12.5 ± 0.3 | 17.25 of 20 |
| | blue |
Below it.

- First item. Of two
  sentences
- Second ![drawing](x.png) item
1. Numbered

> Quoted
"""


def test_a_page_is_split_at_headings_of_any_level():
    lamp, code, table = split(PAGE, "docs/lamp.md")
    assert lamp == Section(
        "docs/lamp.md",
        "The lamp page",
        "The lamp page",
        ("A lamp is on.", "It shines in the dark, e.g. at night!", "off() stops it."),
    )
    assert (code.title, code.sentences) == ("Only code", ())
    assert (table.title, table.page) == ("Table", "The lamp page")
    assert table.sentences == (
        "lamp, light",
        "a, red, warm",
        "blue",
        "Below it.",
        "First item.",
        "Of two sentences",
        "Second drawing item",
        "Numbered",
        "Quoted",
    )
    assert lamp.heading == "The lamp page"
    assert str(table) == "The lamp page: Table (docs/lamp.md)"


def test_the_page_is_named_after_its_first_heading_though_nothing_is_below_it():
    [section] = split("# Page\n## Section\ntext", "a.md")
    assert section.heading == "Page: Section"
    assert split("", "a.md") == split("text", "a.md") == split("# Page", "a.md") == []


def test_sentences_end_before_a_name_in_backquotes_and_not_within_numbers():
    assert sentences(["It is 2.5 m. `x` is long.) [Links](a) too.", "", "New"]) == [
        "It is 2.5 m.",
        "x is long.)",
        "Links too.",
        "New",
    ]


def test_files_are_read_in_order_and_some_left_out(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("docs/b.md", "docs/a.md", "docs/c.md", "README.md", "docs/d.txt"):
        (tmp_path / name).write_text(f"# Page {name}\nname: ä")
    found = read(tmp_path, ["README.md", "docs/*.md"], without=["docs/b.md"])
    assert [section.file for section in found] == ["README.md", "docs/a.md", "docs/c.md"]
    assert found[1].title == "Page docs/a.md" and found[1].sentences == ("name: ä",)


def count(text):
    """Characters that are not spaces."""
    return len(text.replace(" ", ""))


def section_of(*texts):
    return Section("a.md", "Page", "Title", texts)


def test_passages_are_whole_sentences_as_long_as_they_fit():
    section = section_of("aaaa.", "bb.", "cccccc.", "d.")
    assert Passage(section, ("aaaa.", "bb.")).text == "Page: Title. aaaa. bb."
    found = passages(section, count, limit=11 + 9)
    assert [p.sentences for p in found] == [("aaaa.", "bb."), ("cccccc.", "d.")]
    assert all(p.section is section and count(p.text) <= 20 for p in found)
    assert [p.sentences for p in passages(section, count, limit=18)] == [("aaaa.",), ("bb.",), ("cccccc.",), ("d.",)]
    assert [p.sentences for p in passages(section, count, limit=100)] == [section.sentences]


def test_a_section_of_code_alone_is_a_passage_of_its_heading():
    [passage] = passages(section_of(), count, limit=30)
    assert passage.text == "Page: Title."


@pytest.mark.parametrize("limit", range(13, 40, 3))
def test_long_sentences_and_words_are_cut_to_fit(limit):
    text = "one two three four " + "x" * 50 + " five, six"
    found = passages(section_of("short.", text, "end."), count, limit)
    assert max(count(p.text) for p in found) <= limit
    words = " ".join(s for p in found for s in p.sentences)
    assert re.sub(" ", "", words) == re.sub(" ", "", f"short. {text} end.")
    assert limit < 20 or {"one", "three", "five,"} <= set(words.split())


def test_a_heading_without_room_below_it_is_an_error():
    with pytest.raises(ValueError, match="the limit leaves no room for 'a' below its heading"):
        passages(section_of("abc"), count, limit=11)
