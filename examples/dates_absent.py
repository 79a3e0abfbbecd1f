"""Texts without a date for the date reader: words, numbers, incomplete, impossible and ambiguous dates.

A `Sample` of these has the answer that the model is trained to generate in `iso`: "" in general. Impossible days ("31
February 2019") and years out of range ("3 June 1856") are copied as they are, "2019-02-31" and "1856-06-03", and what
is missing or ambiguous is zeros, "2019-06-00" for "June 2019": that they are not in the calendar is decided after
decoding (`dates_learning.CALENDAR`), exactly.
"""

import datetime
import functools
import random
import string
from dataclasses import replace
from typing import NamedTuple

import dates_data as data
import dates_incomplete
from babel import Locale
from dates_split import Sample, typed

KINDS = ("words", "numbers", "incomplete", "no such day", "other years", "without territory")
LONGEST = 40  # characters of words
DRAWS = 200  # of a held-out text, at most
# "#" is a digit. Eight of them in a row could be a date.
TEMPLATES = [
    *("#", "##", "###", "####", "#####", "######", "#######", "#########", "###########"),
    *("#.#", "##.##", "#,##", "#,###.##", "#.###,##", "€ ##.##", "$#,###", "## %", "-##"),
    *("##:##", "#:## pm", "##:##:##", "#/#", "##-##", "####/##", "+## ## #######", "(###) ###-####"),
]
HELD_OUT_TEMPLATES = ["#,###,###", "##.## €", "£##", "##.#%", "##:## h", "####-###", "0## #### ####", "###/###"]

# Never trained; some were read as dates before texts without one were trained.
# fmt: off
PHRASES = [
    "hello", "thank you", "tomorrow", "yesterday", "next week", "last Monday", "see you later", "no date", "n/a",
    "none", "unknown", "to be announced", "tbd", "asap", "as soon as possible", "in two days", "a week ago",
    "every day", "never", "the third of never", "happy new year", "Christmas", "Easter Sunday", "birthday", "page 12",
    "room 101", "chapter 3",
    "version 2.0", "12 apples", "3 kg", "flight LH 400", "order 66", "invoice 2019", "June 2019", "3 June", "3/6/19",
    "6/3/19", "31 February 2019", "30 February 2020", "June 31st, 2019", "3 June 1856", "3 June 2156", "2019-13-01",
    "2019-02-29", "32.12.2019", "00/00/0000", "Guten Tag", "morgen", "übermorgen", "bonjour", "demain", "à bientôt",
    "buenos días", "mañana", "buongiorno", "domani", "olá", "amanhã", "hej", "dzień dobry", "привет", "завтра",
    "你好", "明天", "こんにちは", "明日", "안녕하세요", "내일", "merhaba", "yarın", "γεια σου", "שלום", "مرحبا", "नमस्ते",
    "xin chào",
    "the quick brown fox", "lorem ipsum dolor sit amet", "asdf", "qwertz", "aaaa", "x", "?", "!!!", "...", "-", "/",
    "john.smith@example.com", "www.example.com", "C:/temp", "true", "null", "0", "1", "42", "3.14159", "1e6", "12:30",
]
# fmt: on


class AnyDay(NamedTuple):
    """A day that need not be in the calendar."""

    year: int
    month: int
    day: int
    of_week: int

    def weekday(self):
        return self.of_week

    def isoformat(self):
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"


class Absent:
    """Training and held-out samples. Of a `dates_split.Split`: its held-out formats, mixtures and years are held out.

    One name in six (of languages, territories and currencies) and some templates of numbers are held out, too.
    Names and incomplete dates are evaluated only where training cannot write the same, but for case, accents and
    punctuation: a name that two languages share, or what is left of a training format.
    """

    def __init__(self, split, seed=0):
        rng = random.Random(f"absent {seed}")
        held = {name: rng.random() < 1 / 6 for name in everyday_names()}
        trained = [name for name, out in held.items() if not out]
        self._trained_names = frozenset(map(_folded, trained))
        self._names = {False: trained, True: [name for name, out in held.items() if out and not self._is_named(name)]}
        self._templates = {False: TEMPLATES, True: HELD_OUT_TEMPLATES}
        self._forms = {
            False: (*split.trained_home, *split.trained_mixed),
            True: (*split.held_out_home, *split.held_out_mixed),
        }
        years = range(1000, 10_000)
        outside = [year for year in years if not data.FIRST_YEAR <= year <= data.LAST_YEAR]
        inside = range(data.FIRST_YEAR, data.LAST_YEAR + 1)
        self._outside = {new: [year for year in outside if (year % 7 == 0) == new] for new in (False, True)}
        self._inside = {new: [year for year in inside if (year in split.held_out_years) == new] for new in self._names}

    def training(self, count, seed):
        """`count` training samples, of all `KINDS`."""
        rng = random.Random(f"absent training {seed}")
        return [self._draw(rng.choice(KINDS), rng, False) for _ in range(count)]

    def held_out(self, kind, count, seed):
        """`count` different samples of one of `KINDS`; fewer if `DRAWS` for each find no more that training lacks."""
        rng, found = random.Random(f"absent {kind} {seed}"), {}
        for _ in range(DRAWS * count):
            if len(found) == count:
                break
            if sample := self._draw(kind, rng, True):
                found[sample.text.lower()] = sample
        return list(found.values())

    def _draw(self, kind, rng, new):
        """A sample; None if it is to be new, and training can write it."""
        draw = {
            "words": self._words,
            "numbers": self._numbers,
            "incomplete": self._incomplete,
            "no such day": self._no_such_day,
            "other years": self._other_years,
            "without territory": self._without_territory,
        }
        return draw[kind](rng, new)

    def _words(self, rng, new):
        """One to three names, some with a number, some with their letters mixed."""
        text = " ".join(rng.choice(self._names[new]) for _ in range(rng.choice((1, 1, 1, 2, 3))))[:LONGEST].strip()
        if rng.random() < 0.2:
            text = "".join(rng.sample(text, len(text))).strip()
        elif rng.random() < 0.3:
            number = str(rng.randrange(rng.choice((32, 100, 2100))))
            text = rng.choice((f"{text} {number}", f"{number} {text}"))
        if new and (self._is_named(text) or dates_incomplete.outline(text) in self._trained_outlines):
            return None
        return Sample(_cased(text, rng), "", None)

    def _numbers(self, rng, new):
        template = rng.choice(self._templates[new])
        return Sample("".join(rng.choice(string.digits) if c == "#" else c for c in template), "", None)

    def _incomplete(self, rng, new):
        """A date without its day, month or year, or with its weekday or month alone.

        The answer has zeros in place of what is missing, so that a network is trained to find the rest; "" for numbers,
        whose order is not known then.
        """
        form, day = self._form(rng, new), self._day(rng, new)
        kept = replace(form, pattern=dates_incomplete.without(form.pattern, rng.choice(dates_incomplete.DROPPED)))
        if not data.fields(kept.pattern):
            return self._incomplete(rng, new)
        if new and dates_incomplete.outlines_as_typed(kept, day) & self._trained_outlines:
            return None
        iso = "" if form.numeric else partial([day], given="".join(data.fields(kept.pattern)))
        return replace(typed(day, kept, rng), iso=iso)

    def _no_such_day(self, rng, new):
        """31 February, a 32nd or 0th day, a 13th month (of numbers), 29 February of a year that has none."""
        form = self._form(rng, new)
        first, last = data.years_of(form)
        year = rng.choice([year for year in self._inside[new] if first <= year <= last])
        month = rng.randrange(1, 13)
        wrong = [day for day in (29, 30, 31) if not _exists(year, month, day)] or [0, *range(32, 40)]
        day = AnyDay(year, month, rng.choice((*wrong, *wrong, 0, rng.randrange(32, 100))), rng.randrange(7))
        if form.numeric and rng.random() < 0.5:
            day = day._replace(month=rng.choice((0, *range(13, 32), rng.randrange(32, 100))), day=rng.randrange(1, 32))
        return typed(day, form, rng)

    def _other_years(self, rng, new):
        form = self._form(rng, new)
        while data.years_of(form) != (data.FIRST_YEAR, data.LAST_YEAR):
            form = self._form(rng, new)
        year = rng.choice(self._outside[new])
        # As many of the centuries next to the range as of all others.
        if rng.random() < 0.5:
            year = rng.choice([y for y in self._outside[new] if 1700 <= y < 2300])
        day = self._day(rng, new)
        return typed(AnyDay(year, day.month, min(day.day, 28), day.weekday()), form, rng)

    def _without_territory(self, rng, new):
        """A date whose order or month is ambiguous without its territory; one that has a single reading is read.

        The answer has zeros in place of what is ambiguous.
        """
        form, day = self._form(rng, new), self._day(rng, new)
        while not self._is_ambiguous(form, day):
            form, day = self._form(rng, new), self._day(rng, new)
        text = data.write(day, form).removesuffix(f" {form.names[3:]}")
        iso = partial(readings(form, day)) if form.numeric else partial([day], given="yd")
        return Sample(_cased(text, rng), iso, form)

    @functools.cached_property
    def _trained_outlines(self):
        """Of all incomplete dates, numbers and names that training can write."""
        texts = (*self._names[False], *(template.replace("#", "0") for template in TEMPLATES))
        return dates_incomplete.outlines(self._forms[False]) | frozenset(map(dates_incomplete.outline, texts))

    def _is_named(self, text):
        """Whether the text, but for its number, is one to three trained names."""
        words = [word for word in _folded(text).split() if not word.isdigit()]
        return _is_joined(words, self._trained_names)

    def _is_ambiguous(self, form, day):
        first, last = data.years_of(form)
        weekday = form.numeric and data.has_weekday(form)
        return data.needs_territory(form, day.month) and first <= day.year <= last and not weekday

    def _form(self, rng, new):
        """Home forms are fewer than mixtures, and drawn as often."""
        home = rng.random() < 0.5
        form = rng.choice(self._forms[new])
        while form.mixed == home:
            form = rng.choice(self._forms[new])
        return form

    def _day(self, rng, new):
        return datetime.date(rng.choice(self._inside[new]), 1, 1) + datetime.timedelta(days=rng.randrange(365))


def partial(days, given="yMd"):
    """ISO 8601 with zeros in place of the fields that are not `given`, or differ among the days; "" if all are zeros.

    Args:
        days: Dates that a text may mean; none: "".
        given: Letters of the pattern fields that the text has.
    """
    values = [
        {value for value in found if any(letter in given for letter in letters)}
        for found, letters in zip(zip(*((day.year, day.month, day.day) for day in days)), ("y", "ML", "do"))
    ]
    known = [found.pop() if len(found) == 1 else 0 for found in values]
    return AnyDay(*known, 0).isoformat() if any(known) else ""


def readings(form, day):
    """The dates that a numeric form's text without a territory may mean: those of all orders of its shape."""
    names = [field[0] for field in data.fields(form.pattern) if field[0] in "yMd"]
    values = [data.written(field, day, form) for field in data.fields(form.pattern) if field[0] in "yMd"]
    found = set()
    for order in data.orders(form.pattern) | {"".join(names)}:
        given = dict(zip(order, values))
        if len(given["y"]) < 2:
            continue
        year, month, day_of_month = (int(given[name]) for name in "yMd")
        if len(given["y"]) == 2:
            year = data.CENTURY_START + (year - data.CENTURY_START) % 100
        if _exists(year, month, day_of_month):
            found.add(datetime.date(year, month, day_of_month))
    return found


@functools.cache
def everyday_names():
    """Names of territories, languages and currencies in all locales, sorted; without digits."""
    found = set()
    for locale in data.LOCALES:
        parsed = Locale.parse(locale)
        for table in (parsed.territories, parsed.languages, parsed.currencies):
            found.update(name for name in table.values() if not any(c.isdigit() for c in name))
    return sorted(name for name in found if 2 <= len(name) <= LONGEST)


def _folded(name):
    """The name without case, accents and punctuation; "ß" and "ı" as in capitals."""
    return data.plain(name.upper())


def _is_joined(words, names, most=3):
    """Whether the words are those of at most so many names in a row."""
    parts = range(1, len(words) + 1) if most else ()
    return not words or any(" ".join(words[:n]) in names and _is_joined(words[n:], names, most - 1) for n in parts)


def _exists(year, month, day):
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _cased(text, rng):
    return rng.choice((str, str, str.upper, str.lower, str.title))(text)
