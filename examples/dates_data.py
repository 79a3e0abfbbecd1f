"""Dates in many languages and formats, from Unicode CLDR (through the package Babel).

A *form* is a date format: the names of one locale in a pattern of the same locale (a home form) or of another (a
mixture, "Juni 3, 2019"). Each text has exactly one date: where CLDR's patterns and names are ambiguous ("6/3/19",
Croatian and Polish "listopada"), the territory is appended ("6/3/19 US"). Ambiguities are computed from the data, in
`order_is_ambiguous` and `ambiguous_months`. Two-digit years mean 1950 to 2049.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass, replace

from babel import Locale
from babel.dates import get_date_format

# fmt: off
LOCALES = [
    "en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "pt_BR", "nl_NL", "sv_SE", "da_DK", "nb_NO",
    "fi_FI", "pl_PL", "cs_CZ", "hu_HU", "ro_RO", "tr_TR", "el_GR", "ru_RU", "uk_UA", "bg_BG", "he_IL",
    "ar_EG", "hi_IN", "ja_JP", "zh_CN", "ko_KR", "vi_VN", "id_ID", "th_TH", "ca_ES", "hr_HR",
]
# fmt: on
FIRST_YEAR, LAST_YEAR = 1900, 2099
CENTURY_START = 1950

# Common formats that CLDR lacks: a word before the date, ordinals ("o"). In CLDR's pattern letters.
PEOPLE = {
    "en_US": ["MMMM o, y", "MMM o y", "EEEE, MMMM o, y", "'the' o 'of' MMMM, y"],
    "en_GB": ["o MMMM y", "o 'of' MMMM y", "EEEE o MMMM y", "EEE o MMM y", "'the' o 'of' MMMM y"],
    "de_DE": ["'den' d. MMMM y", "EEEE', den' d. MMMM y", "'am' d. MMMM y", "'den' d. MMM y"],
    "fr_FR": ["'le' o MMMM y", "o MMMM y", "'le' EEEE o MMMM y"],
    "es_ES": ["'el' d 'de' MMMM 'de' y", "d 'de' MMMM 'del' y", "'el' EEEE d 'de' MMMM 'de' y"],
    "it_IT": ["o MMMM y", "'il' d MMMM y", "'il' o MMMM y", "EEEE o MMMM y"],
    "pt_BR": ["'dia' d 'de' MMMM 'de' y", "o 'de' MMMM 'de' y", "'dia' o 'de' MMMM 'de' y"],
    "nl_NL": ["'op' d MMMM y", "EEEE 'de' o MMMM y"],
    "sv_SE": ["'den' d MMMM y", "EEEE 'den' d MMMM y", "'den' o MMMM y"],
    "da_DK": ["'den' d. MMMM y", "'d.' d. MMMM y"],
    "nb_NO": ["'den' d. MMMM y", "EEEE 'den' d. MMMM y"],
    "pl_PL": ["'dnia' d MMMM y", "d MMMM y 'r.'", "'dnia' d MMMM y 'r.'"],
    "cs_CZ": ["'dne' d. MMMM y"],
    "vi_VN": ["'ngày' d MMMM 'năm' y", "EEEE 'ngày' d MMMM 'năm' y"],
    "id_ID": ["'tanggal' d MMMM y"],
    "ro_RO": ["'la' d MMMM y"],
}
SKELETONS = ["yMd", "yMEd", "yMMMd", "yMMMEd", "yMMMMd", "yMMMMEd", "yMMMMEEEEd"]
ORDINALS = ("en", "fr", "it", "nl", "pt", "sv")  # languages in whose dates people write them
NATIVE_DIGITS = {"ar_EG": "٠١٢٣٤٥٦٧٨٩", "hi_IN": "०१२३४५६७८९"}
NO_TWO_DIGIT_YEARS = {"th_TH"}  # of another era there

_FIELD = re.compile(r"'([^']*)'|(y+|M+|L+|d+|E+|c+|G+|o)|([^'yMLdEcGo]+)")


@dataclass(frozen=True)
class Form:
    """Date format: the names of locale `names` in a `pattern` of the locale `home`.

    `weekdays` is another locale for the weekday names, if any.
    """

    names: str
    home: str
    pattern: str
    weekdays: str = ""

    @property
    def mixed(self):
        return self.names != self.home

    @functools.cached_property
    def numeric(self):
        return not any(field[0] in "ML" and len(field) > 2 for field in fields(self.pattern))


def home_patterns(locale):
    """The complete date patterns of CLDR for a locale, their longer and shorter variants, and those of `PEOPLE`."""
    patterns = [get_date_format(width, locale).pattern for width in ("full", "long", "medium", "short")]
    skeletons = Locale.parse(locale).datetime_skeletons
    patterns += [skeletons[name].pattern for name in SKELETONS if name in skeletons]
    patterns += [re.sub("MMM+", width, p) for p in patterns for width in ("MMM", "MMMM")]
    patterns += [re.sub("EEEE|cccc", "EEE", p) for p in patterns]
    patterns += [_with_separator(p, separator) for p in patterns for separator in "/-" if _with_separator(p, separator)]
    patterns += ["y-MM-dd", "yMMdd", *PEOPLE.get(locale, [])]
    if locale in NO_TWO_DIGIT_YEARS:
        patterns = [p for p in patterns if not _two_digit_year(p)]
    return list(dict.fromkeys(_visible(p) for p in patterns))


@functools.cache
def home_forms():
    return tuple(Form(locale, locale, pattern) for locale in LOCALES for pattern in home_patterns(locale))


@functools.cache
def mixed_forms():
    """Names of one locale in the patterns with words of another of the same script, or of English."""
    foreign = {b: [p for p in home_patterns(b) if not Form(b, b, p).numeric and "o" not in fields(p)] for b in LOCALES}
    return tuple(
        Form(a, b, pattern)
        for a in LOCALES
        for b in LOCALES
        if a[:2] != b[:2] and (script(a) == script(b) or b in ("en_US", "en_GB"))
        for pattern in foreign[b]
    )


@functools.cache
def script(locale):
    """The alphabet of a locale's month names: "LATIN", "CYRILLIC", "CJK" ..."""
    letters = [c for c in names(locale)["MMMM"][1] if c.isalpha()]
    return unicodedata.name(letters[0]).split()[0]


@functools.cache
def names(locale):
    """Month names from 1 and weekday names from Monday = 0, by pattern field."""
    parsed = Locale.parse(locale)
    months = {"M": parsed.months["format"], "L": parsed.months["stand-alone"]}
    days = {"E": parsed.days["format"], "c": parsed.days["stand-alone"]}
    table = {}
    for letter, widths in months.items():
        table[letter * 4], table[letter * 3] = dict(widths["wide"]), dict(widths["abbreviated"])
    for letter, widths in days.items():
        table[letter * 4], table[letter * 3] = dict(widths["wide"]), dict(widths["abbreviated"])
    return {field: {k: _visible(v) for k, v in words.items()} for field, words in table.items()}


def write(date, form, word=None, pad=False, digits=None):
    """Formats the date, with the territory where it is ambiguous.

    `word` replaces the name of the month (a typo), `pad` writes "03" for "3", `digits` are other numerals.
    """
    text = "".join(text or written(field, date, form, word, pad) for field, text in tokens(form.pattern))
    if digits:
        text = text.translate({ord("0") + i: digit for i, digit in enumerate(digits)})
    return f"{text} {form.names[3:]}" if needs_territory(form, date.month) else text


def has_weekday(form):
    return any(field[0] in "Ec" for field in fields(form.pattern))


@functools.cache
def weekday_locales(locale):
    """Other locales of the same script none of whose weekday names is the name of a month anywhere ("mar", "paz")."""
    months = {
        plain(names(a)[field][m]) for a in LOCALES for field in ("MMM", "MMMM", "LLL", "LLLL") for m in range(1, 13)
    }
    fields = ("EEE", "EEEE", "ccc", "cccc")
    return [
        other
        for other in LOCALES
        if other[:2] != locale[:2] and script(other) == script(locale)
        if not any(plain(names(other)[field][day]) in months for field in fields for day in range(7))
    ]


def month_word(form, month):
    """The name of the month in this form, or None where it is a number."""
    field = next((f for f in fields(form.pattern) if f in ("MMM", "MMMM", "LLL", "LLLL")), None)
    return names(form.names)[field][month] if field else None


def needs_territory(form, month):
    if form.numeric:
        return order_is_ambiguous(form.pattern)
    return plain(month_word(form, month)) in ambiguous_months()


@functools.cache
def ambiguous_months():
    """Month names that mean different months in different languages, as in Croatian and Polish "listopada"."""
    meaning = {}
    for locale in LOCALES:
        for field in ("MMM", "MMMM", "LLL", "LLLL"):
            for month, word in names(locale)[field].items():
                meaning.setdefault(plain(word), set()).add(month)
    return frozenset(word for word, months in meaning.items() if len(months) > 1)


@functools.cache
def order_is_ambiguous(pattern):
    """Whether another locale has the same digits and separators in another order of day, month and year."""
    return len(orders(pattern)) > 1


def orders(pattern):
    """The orders of day, month and year that locales have for the digits and separators of this numeric pattern."""
    return _orders().get(convention(pattern)[0], set())


@functools.cache
def _orders():
    orders = {}
    for form in home_forms():
        if form.numeric:
            shape, order = convention(form.pattern)
            orders.setdefault(shape, set()).add(order)
    return orders


def convention(pattern):
    """Shape (separators, position of a four-digit year) and order of a numeric pattern."""
    visible = {"y": "Y", "yy": "#", "M": "#", "MM": "#", "d": "#", "dd": "#", "": ""}
    shape = "".join(visible.get(field, "") + text for field, text in tokens(pattern))
    order = "".join(field[0] for field in fields(pattern) if field[0] in "yMd")
    return re.sub(r"[^Y#/.\-年月日]", "", shape).strip("."), order


@functools.cache
def plain(text):
    """The text without case, accents, punctuation and double spaces."""
    text = unicodedata.normalize("NFD", text.lower())
    text = re.sub("[\u0300-\u036f]", "", text)
    return " ".join(re.sub(r"[^\w\s\u0900-\u0dff\u0e00-\u0e7f]", " ", unicodedata.normalize("NFC", text)).split())


def years_of(form):
    """The unambiguous years of a form: one century for two-digit years."""
    return (CENTURY_START, CENTURY_START + 99) if _two_digit_year(form.pattern) else (FIRST_YEAR, LAST_YEAR)


def ordinal(day, locale):
    """1st, 1er, 1º, 1e, 1:e: CLDR's category with the ending of the language."""
    language = locale[:2]
    if language == "en":
        return str(day) + {"one": "st", "two": "nd", "few": "rd"}.get(Locale.parse(locale).ordinal_form(day), "th")
    if language in ("fr", "it", "pt"):
        return str(day) + ({"fr": "er"}.get(language, "º") if day == 1 else "")
    if language == "sv":
        return str(day) + (":a" if day % 10 in (1, 2) and day not in (11, 12) else ":e")
    return f"{day}e"


def with_ordinal(form):
    """The form with the ordinal of the day, or None: in numbers, mixtures, and languages without ordinals in dates."""
    if form.numeric or form.mixed or form.names[:2] not in ORDINALS:
        return None
    parts = ["o" if field in ("d", "dd") else field or f"'{text}'" for field, text in tokens(form.pattern)]
    return replace(form, pattern="".join(parts))


def written(field, date, form, word=None, pad=False):
    letter, width = field[0], len(field)
    if letter == "y":
        return f"{date.year % 100:02d}" if width == 2 else str(date.year)
    if letter == "d":
        return f"{date.day:0{2 if pad else width}d}"
    if letter == "o":
        return ordinal(date.day, form.names)
    if letter in "ML":
        if width <= 2:
            return f"{date.month:0{width}d}"
        return word or names(form.names)[field][date.month]
    if letter in "Ec":
        return names(form.weekdays or form.names)[letter * max(width, 3)][date.weekday()]
    return Locale.parse(form.names).eras["abbreviated"][1]


@functools.cache
def tokens(pattern):
    """[(field or "", text)] of a CLDR pattern, quotes resolved."""
    return [(m[2] or "", m[1] if m[1] is not None else m[3] or "") for m in _FIELD.finditer(pattern)]


@functools.cache
def fields(pattern):
    return [field for field, _ in tokens(pattern) if field]


def _two_digit_year(pattern):
    return "yy" in fields(pattern)


def _with_separator(pattern, separator):
    """A numeric pattern with another separator, None for the others."""
    found = fields(pattern)
    return separator.join(found) if sorted(f[0] for f in found) == ["M", "d", "y"] and "MMM" not in pattern else None


def _visible(text):
    """Without direction marks, and with ordinary spaces."""
    return re.sub("[\u200e\u200f]", "", text).replace("\u202f", " ").replace("\xa0", " ")
