"""Parallel English and German, French or Spanish sentences, from a package of Home Assistant.

The texts of a user interface, written by hand for about a thousand integrations (Apache-2.0). pip downloads the package
into a cache folder, without installing it; nothing of it is part of this repository.
"""

import collections
import json
import random
import re
import zipfile

from fetching import Package

PACKAGE = Package(
    requirement="homeassistant==2026.11.0",
    index="PyPI",
    size="68 MB",
    file="homeassistant-2026.11.0-py3-none-any.whl",
    sha256="7ca5fbde9dea879ac7723949fc84347aac5182e6309c357b2e4973fd391b00f7",
)
LANGUAGES = {"en-de": "de", "en-fr": "fr", "en-es": "es"}
SHORTEST, LONGEST = 3, 50  # words of an English sentence; the paper's longest is 50

Pair = collections.namedtuple("Pair", "group source target")  # the integration, English, its translation


def read(wheel, language):
    """All pairs of texts in the package, in a fixed order."""
    pairs = []
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in sorted(names):
            english = name.replace(f"/{language}.json", "/en.json")
            if name.endswith(f"/translations/{language}.json") and english in names:
                there, here = (dict(leaves(json.loads(archive.read(n)))) for n in (name, english))
                group = name.split("/")[-3]
                pairs += [Pair(group, clean(here[k]), clean(there[k])) for k in sorted(there.keys() & here.keys())]
    return pairs


def leaves(tree, path=()):
    """Yields (keys, text) of every text in nested dictionaries."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), str(value)


def clean(text):
    return " ".join(text.split())


def length(text):
    """Number of words between spaces."""
    return len(text.split())


def outline(text):
    """A text without case, digits and punctuation: "Voltage L1" and "voltage L2" have one outline."""
    return " ".join(re.sub(r"[\W\d_]+", " ", text.casefold()).split())


def split(pairs, seed, held_out=0.12):
    """Training and held-out pairs, of different integrations and without a common outline.

    Without texts of fewer than `SHORTEST` or more than `LONGEST` words, translations of more than 1.5 times as many,
    and untranslated texts. Held-out texts with the same outline are dropped but for the first; training texts only if
    they are copies.

    Returns:
        `(training, held_out)`, lists of `Pair`.
    """
    groups = sorted({pair.group for pair in pairs})
    random.Random(seed).shuffle(groups)
    held_out_groups = set(groups[: round(held_out * len(groups))])
    pairs = [pair for pair in pairs if suits(pair)]
    training = unique((pair for pair in pairs if pair.group not in held_out_groups), lambda pair: pair.source)
    known = {outline(text) for pair in training for text in (pair.source, pair.target)}
    new = (p for p in pairs if p.group in held_out_groups and not known & {outline(p.source), outline(p.target)})
    return training, unique(new, lambda pair: outline(pair.source))


def suits(pair):
    lengths = length(pair.source), length(pair.target)
    return (
        SHORTEST <= lengths[0] <= LONGEST
        and 2 <= lengths[1] <= 1.5 * LONGEST
        and outline(pair.source) != outline(pair.target)
    )


def unique(pairs, key):
    """The first of each `key`."""
    first = {}
    for pair in pairs:
        first.setdefault(key(pair), pair)
    return list(first.values())
