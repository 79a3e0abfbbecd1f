"""Training and held-out data of the date reader: held-out years, formats and mixtures of languages.

Whether a text is new is decided by its *outline*: the text without case, accents, punctuation and the digits of day and
year. "Montag, 3. Juni 2019" has the outline "montag D juni Y". A held-out form or mixture is evaluated only with
outlines that no training form of any language can produce.
"""

import datetime
import functools
import itertools
import random
import unicodedata
from dataclasses import dataclass, replace
from typing import NamedTuple

import dates_data as data

KINDS = ("years", "formats", "mixtures", "all new")
MIXED = 0.4  # part of the training dates that are mixtures; half of the held-out years
# Trained more often: what people ask most, and the month first, which no other locale has.
OFTEN = ("en_US", "en_US", "en_GB", "de_DE", "fr_FR", "es_ES")


@dataclass(frozen=True)
class Sample:
    """A text, its ISO date, its form, and the kinds of noise in it."""

    text: str
    iso: str
    form: data.Form
    noise: tuple = ()


class Split:
    """Holds out one year of each decade, about one home form in eight, and one pair of languages in six.

    A home form is held out only if its parts are in other training forms: its words in its own language, and for
    numbers the order of its territory, and that order with these separators. Only their combination is new.
    """

    def __init__(self, seed=0):
        rng = random.Random(seed)
        decades = range(data.FIRST_YEAR, data.LAST_YEAR, 10)
        self.held_out_years = frozenset(decade + rng.randrange(10) for decade in decades)
        self._years = {
            ((first, last), new): [y for y in range(first, last + 1) if (y in self.held_out_years) == new]
            for first, last in {data.years_of(form) for form in data.home_forms()}
            for new in (True, False)
        }
        chosen = [form for locale in data.LOCALES for form in _choose(locale, rng)]
        self.held_out_home = _with_trained_conventions(chosen)
        held = set(self.held_out_home)
        held_keys = {f: outlines(f) for f in self.held_out_home}
        self.trained_home = [f for f in data.home_forms() if f not in held]
        pairs = sorted({(f.names, f.home) for f in data.mixed_forms()})
        self.held_out_pairs = frozenset(pair for pair in pairs if rng.random() < 1 / 6)
        kept = {locale: set().union(*(held_keys[f] for f in held if f.names == locale)) for locale in data.LOCALES}
        mixed = [(f, outlines(f)) for f in data.mixed_forms()]
        self.held_out_mixed = [f for f, _ in mixed if (f.names, f.home) in self.held_out_pairs]
        trained = [(f, k) for f, k in mixed if (f.names, f.home) not in self.held_out_pairs and not k & kept[f.names]]
        self.trained_mixed = [f for f, _ in trained]
        held_out = (*map(outlines, self.held_out_home), *map(outlines, self.held_out_mixed))
        self.held_out_outlines = frozenset().union(*held_out)
        self.trained_outlines = frozenset().union(*(k for _, k in trained), *map(outlines, self.trained_home))

    def training(self, count, seed):
        """`count` training samples."""
        rng = random.Random(f"training {seed}")
        home, mixed = _by_locale(self.trained_home), _by_locale(self.trained_mixed)
        return [self._draw(rng, home, mixed, new_year=False, training=True) for _ in range(count)]

    def held_out(self, kind, count, seed):
        """`count` different samples of one of `KINDS`; "all new": of a held-out year in a held-out form or mixture."""
        rng = random.Random(f"{kind} {seed}")
        home, mixed = _by_locale(self.held_out_home), _by_locale(self.held_out_mixed)
        forms = {
            "years": (_by_locale(self.trained_home), _by_locale(self.trained_mixed)),
            "formats": (home, {}),
            "mixtures": ({}, mixed),
            "all new": (home, mixed),
        }[kind]
        found = {}
        while len(found) < count:
            sample = self._draw(rng, *forms, new_year=kind in ("years", "all new"))
            if kind == "years" or outline(sample.form, day_of(sample.iso)) not in self.trained_outlines:
                found[data.plain(sample.text)] = sample
        return list(found.values())

    def _draw(self, rng, home, mixed, new_year, training=False):
        locales, part = ((*data.LOCALES, *OFTEN), MIXED) if training else (data.LOCALES, 0.5)
        forms = None
        while not forms:
            locale = rng.choice(locales)
            forms = (mixed if not home or (mixed and rng.random() < part) else home).get(locale)
        form = rng.choice(forms)
        year = rng.choice(self._years[data.years_of(form), new_year])
        day = datetime.date(year, 1, 1) + datetime.timedelta(days=rng.randrange(366 if _leap(year) else 365))
        return typed(day, self._varied(form, day, rng) if training else form, rng)

    def _varied(self, form, day, rng):
        """Sometimes an ordinal day, and the weekday of another language; not where that is a held-out outline."""
        for vary, rate in ((data.with_ordinal, 0.3), (functools.partial(_with_foreign_weekday, rng), 0.4)):
            varied = vary(form) if rng.random() < rate else None
            if varied and outline(varied, day) not in self.held_out_outlines:
                form = varied
        return form


def _with_foreign_weekday(rng, form):
    """The form with the weekday of another language, so that the month is not inferred from it; None without one."""
    others = data.weekday_locales(form.names) if data.has_weekday(form) and not form.numeric else []
    return replace(form, weekdays=rng.choice(others)) if others else None


def outline(form, date):
    """The text without case, accents, punctuation (except between numbers) and the digits of day and year."""
    blank = {"y": "Y", "yy": "YY", "yyyy": "Y", "d": "D", "dd": "D", "M": "M", "MM": "M"}
    words = [
        (text.strip() if form.numeric else data.plain(text))
        if not field
        else blank.get(field) or data.plain(_name(field, date, form))
        for field, text in data.tokens(form.pattern)
    ]
    territory = form.names[3:] if data.needs_territory(form, date.month) else ""
    return " ".join(word for word in (*words, territory) if word)


@functools.cache
def outlines(form):
    """All outlines of a form: its months, weekdays and ordinals."""
    return frozenset(outline(form, date) for date in days_of(form))


def days_of(form):
    """A day for each outline of a form, and perhaps more."""
    fields = "".join(data.fields(form.pattern))
    months = range(1, 2 if form.numeric else 13)
    weekdays = range(7 if "E" in fields or "c" in fields else 1)
    days = range(1, 5 if "o" in fields else 2)  # 1st, 2nd, 3rd and all others
    return itertools.starmap(_Day, itertools.product(months, weekdays, days))


class _Day(NamedTuple):
    """Any combination of month, weekday and day: each occurs in some year."""

    month: int
    of_week: int
    day: int
    year: int = 2000

    def weekday(self):
        return self.of_week


@functools.cache
def typed_words():
    """Month names and their typos, if they mean one month only: {word as typed: month}."""
    meaning = {}
    for locale in data.LOCALES:
        for field in ("MMMM", "MMM"):
            for month, word in data.names(locale)[field].items():
                for variant in {word, *_slips(word)}:
                    meaning.setdefault(data.plain(variant), set()).add(month)
    return {word: next(iter(months)) for word, months in meaning.items() if len(months) == 1}


def typed(date, form, rng):
    """The formatted date with random noise."""
    noise, word, digits = [], None, None
    if not form.numeric and rng.random() < 0.05:
        slips = typos(data.month_word(form, date.month))
        word = rng.choice(slips) if slips else None
        noise += ["slip"] * bool(slips)
    if form.names in data.NATIVE_DIGITS and rng.random() < 0.25:
        digits = data.NATIVE_DIGITS[form.names]
        noise.append("native digits")
    pad = not form.numeric and rng.random() < 0.05
    text = data.write(date, form, word, pad, digits)
    if rng.random() < 0.08 and (bare := _unaccented(text)) != text:
        text, noise = bare, [*noise, "no accents"]
    if not form.numeric and rng.random() < 0.15:
        text, noise = "".join(c for c in text if c not in ".,،"), [*noise, "no punctuation"]
    if rng.random() < 0.3:
        text, noise = rng.choice([str.upper, str.lower, str.title])(text), [*noise, "case"]
    if rng.random() < 0.05:
        text, noise = text.replace(" ", "  ", 1) + " ", [*noise, "spaces"]
    return Sample(text, date.isoformat(), form, tuple(noise))


def typos(word):
    """The typos of a month's name that mean one month only."""
    return [slip for slip in _slips(word) if data.plain(slip) in typed_words()]


def _slips(word):
    """Typos: swapped, doubled and missing letters; none for short words and other scripts."""
    if (
        len(word) < 5
        or not word.isalpha()
        or unicodedata.name(word[0]).split()[0] not in ("LATIN", "GREEK", "CYRILLIC")
    ):
        return []
    spots = range(1, len(word) - 1)
    swaps = [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in spots]
    doubled, missing = [word[:i] + word[i : i + 1] + word[i:] for i in spots], [word[:i] + word[i + 1 :] for i in spots]
    return [w for w in swaps if w != word] + doubled + missing


def _unaccented(text):
    """The text with plain letters, Latin, Greek and Cyrillic."""
    kept = (c for c in unicodedata.normalize("NFD", text) if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", "".join(kept))


def _choose(locale, rng):
    """The held-out home forms of a locale: one set of outlines in eight, all of whose words are in training."""
    groups = {}
    for form in data.home_forms():
        if form.home == locale:
            groups.setdefault(frozenset(outlines(form)), []).append(form)
    elsewhere = set().union(*(outlines(f) for f in data.home_forms() if f.home != locale))
    groups = [(keys, forms) for keys, forms in groups.items() if not keys <= elsewhere]
    rng.shuffle(groups)
    wanted, held = max(1, round(len(groups) / 8)), []
    for keys, forms in groups:
        rest = [f for k, fs in groups if k is not keys and fs not in held for f in fs]
        if len(held) < wanted and _words(forms[0]) <= set().union(*map(_words, rest)):
            held.append(forms)
    return [form for forms in held for form in forms]


def _with_trained_conventions(chosen):
    """The forms of `chosen`, without numeric ones whose separators are not in training in this order."""
    trained = {data.convention(f.pattern) for f in data.home_forms() if f.numeric and f not in chosen}
    return [form for form in chosen if not form.numeric or data.convention(form.pattern) in trained]


def _words(form):
    """What a model must know to read a form: its words, and for numbers the order of its territory."""
    return set(" ".join(outlines(form)).split()) - {"D", "M", "Y", "YY"} | (
        {data.convention(form.pattern)[1]} if form.numeric else set()
    )


def _name(field, date, form):
    return (
        data.ordinal(date.day, form.names).lstrip("0123456789") + " D"
        if field == "o"
        else data.written(field, date, form)
    )


def _by_locale(forms):
    table = {}
    for form in forms:
        table.setdefault(form.names, []).append(form)
    return table


def day_of(iso):
    return datetime.date.fromisoformat(iso)


def _leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
