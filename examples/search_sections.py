"""Sections of Markdown pages as plain sentences, and passages of them, short enough for a model.

Blocks of code are left out: of a section of nothing else, the heading stays. A row of a table is a sentence of its
cells, unless it has many digits. Links, emphasis, backquotes and images become their text.
"""

import dataclasses
import pathlib
import re

FENCE = re.compile(r"^ *(```|~~~)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")
ITEM = re.compile(r"^ *(?:[-*+]|\d+\.) +")
RULE = re.compile(r"^[ |:-]+$")  # the line below the head of a table
END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"')])) +(?=[\"'(*`\[]*[A-Z0-9]|`)")
MARKUP = (
    (re.compile(r"!?\[([^]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\*\*(.+?)\*\*"), r"\1"),
    (re.compile(r"`+([^`]+)`+"), r"\1"),
    (re.compile(r"^ *(?:>|!!!) *"), ""),
)


@dataclasses.dataclass(frozen=True)
class Section:
    """The text below one heading, up to the next heading of any level."""

    file: str  # relative to the repository
    page: str  # the first heading of the page
    title: str
    sentences: tuple

    @property
    def heading(self):
        return self.title if self.title == self.page else f"{self.page}: {self.title}"

    def __str__(self):
        return f"{self.heading} ({self.file})"


@dataclasses.dataclass(frozen=True)
class Passage:
    """Sentences of a section that a model reads at once, below its heading."""

    section: Section
    sentences: tuple

    @property
    def text(self):
        return " ".join([f"{self.section.heading}.", *self.sentences])


def read(root, patterns, without=()):
    """The sections of the files in `root` that match the patterns, in the order of the patterns and of names."""
    root = pathlib.Path(root)
    files = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    names = [path.relative_to(root).as_posix() for path in files]
    return [s for path, name in zip(files, names) if name not in without for s in split(path.read_text("utf-8"), name)]


def split(text, file):
    """The sections of a Markdown page; those with nothing below their heading are left out."""
    found, code = [], False
    for line in text.splitlines():
        if FENCE.match(line):
            code = not code
        elif heading := not code and HEADING.match(line):
            found.append((plain(heading[1]), []))
        elif found:
            found[-1][1].append("\n" if code else line.rstrip())
    return [Section(file, found[0][0], title, tuple(sentences(lines))) for title, lines in found if any(lines)]


def sentences(lines):
    """The sentences of lines of Markdown without headings; a paragraph, an item and a row end one."""
    paragraphs = [""]
    for line in lines:
        if line.startswith("|"):
            paragraphs += [row(line), ""]
        elif not line.strip():
            paragraphs.append("")
        elif ITEM.match(line):
            paragraphs.append(ITEM.sub("", line))
        else:
            paragraphs[-1] += " " + line.strip()
    return [plain(s) for paragraph in paragraphs for s in END.split(paragraph) if plain(s)]


def row(line):
    """`| a | | b |` -> "a, b"; "" for a rule, and for a row with half as many digits as letters or more."""
    digits, letters = (sum(map(kind, line)) for kind in (str.isdigit, str.isalpha))
    if RULE.match(line) or 2 * digits >= letters:
        return ""
    return ", ".join(cell.strip() for cell in line.split("|") if cell.strip())


def plain(text):
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    return text.strip()


def passages(section, count, limit):
    """A section as passages of whole sentences, as few as they fit into in their order.

    A sentence that is too long alone is cut between words, and a word between characters.

    Args:
        section: `Section`.
        count: `count(text)` is the number of tokens of a text.
        limit: Number of tokens that a passage may have, with the heading.

    Returns:
        List of `Passage`.

    Raises:
        ValueError: If the heading leaves no room for a character.
    """

    def fits(*texts):
        return count(Passage(section, texts).text) <= limit

    groups = [()]
    for sentence in section.sentences:
        for piece in pieces(sentence, fits):
            if groups[-1] and not fits(*groups[-1], piece):
                groups.append(())
            groups[-1] += (piece,)
    return [Passage(section, group) for group in groups]


def pieces(text, fits):
    """A text in halves, their halves and so on, until `fits(piece)`."""
    if fits(text):
        return [text]
    if len(text) < 2:
        raise ValueError(f"the limit leaves no room for {text!r} below its heading")
    middle = len(text) // 2
    cut = max(text.find(" ", middle), text.rfind(" ", 0, middle))
    cut = cut if cut > 0 else middle
    return pieces(text[:cut].strip(), fits) + pieces(text[cut:].strip(), fits)
