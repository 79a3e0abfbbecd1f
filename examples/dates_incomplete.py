"""Incomplete dates: forms without some of their fields, and all outlines of the texts that they write.

The outline of a text is, as in `dates_split`, what is left without case, accents, punctuation (except between numbers)
and digits: "mo#" of "Mo., 3.".
"""

import functools
import re

import dates_data as data
from dates_split import days_of, typos

DROPPED = ("y", "ML", "do", "yMLdo", "yEcdo")  # letters of the fields that are left out


def without(pattern, dropped):
    """The pattern without the fields of these letters, and without what separates them from the field before."""
    parts = []
    for field, text in data.tokens(pattern):
        if field and field[0] in dropped:
            while parts and not parts[-1][0]:
                parts.pop()
        else:
            parts.append((field, field or f"'{text}'"))
    while parts and not parts[0][0]:
        del parts[0]
    return "".join(part for _, part in parts)


def outlines(forms):
    """The outlines of all incomplete dates of these forms, without typos."""
    patterns = {(form.names, without(form.pattern, dropped)) for form in forms for dropped in DROPPED}
    left = [data.Form(names, names, pattern) for names, pattern in patterns if data.fields(pattern)]
    return frozenset(outline(data.write(day, form)) for form in left for day in days_of(form))


def outlines_as_typed(form, date):
    """The outlines of a date that typos can turn into the same text: those with all months' names that are typed alike.

    Danish "marts" without its "t" is Norwegian "mars".
    """
    words = [None] if form.numeric else _typed_alike(data.month_word(form, date.month))
    return frozenset(outline(data.write(date, form, word)) for word in words)


def outline(text):
    """The outline of a text; "#" are numbers of one or two digits, "####" those of four."""
    parts = re.split(r"(\d+)", text.upper())  # "ı" becomes "I", as in texts in capitals
    found = []
    for i, part in enumerate(parts):
        if i % 2:
            found.append("#" * len(part) if len(part) > 2 else "#")
        else:
            word = data.plain(part).replace(" ", "")
            between = 0 < i < len(parts) - 1
            found.append(word or (re.sub(r"[\s.,،]", "", part) or " " if between else ""))
    return "".join(found)


def _typed_alike(word):
    """The names of months that are typed as this one is, correctly or with a typo."""
    return set().union(*(_names_by_typing()[data.plain(typed)] for typed in (word, *typos(word))))


@functools.cache
def _names_by_typing():
    """{name of a month or a typo of it: the names that are typed so}."""
    found = {}
    for locale in data.LOCALES:
        for field in ("MMMM", "MMM", "LLLL", "LLL"):
            for word in data.names(locale)[field].values():
                for typed in (word, *typos(word)):
                    found.setdefault(data.plain(typed), set()).add(word)
    return found
