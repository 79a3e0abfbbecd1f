import datetime

import dates_data as data
import pytest
from babel.dates import format_date


def test_there_are_twenty_languages_and_ten_scripts():
    assert len({locale[:2] for locale in data.LOCALES}) >= 20
    assert len({data.script(locale) for locale in data.LOCALES}) >= 9


@pytest.mark.parametrize("locale", data.LOCALES)
def test_every_home_form_writes_what_babel_writes(locale):
    forms = [f for f in data.home_forms() if f.home == locale and "o" not in data.fields(f.pattern)]
    assert len(forms) >= 8
    for form in forms:
        for month in range(1, 13):
            date = datetime.date(1987 + month, month, 2 * month + 3)
            expected = " ".join(format_date(date, form.pattern, locale).replace("\u200f", "").split())
            written = data.write(date, form)
            assert written.removesuffix(f" {locale[3:]}") == expected


def test_a_mixture_takes_the_names_of_one_locale_and_the_pattern_of_another():
    form = data.Form("de_DE", "en_US", "EEEE, MMMM d, y")
    assert form in data.mixed_forms()
    assert data.write(datetime.date(2019, 6, 3), form) == "Montag, Juni 3, 2019"


@pytest.mark.parametrize(
    ("locale", "pattern", "text"),
    [
        ("en_US", "M/d/yy", "6/3/19 US"),
        ("vi_VN", "d/M/yy", "3/6/19 VN"),
        ("de_DE", "d.M.y", "3.6.2019"),
        ("sv_SE", "y-MM-dd", "2019-06-03"),
        ("ko_KR", "yy. M. d.", "19. 6. 3. KR"),
        ("ja_JP", "y年M月d日", "2019年6月3日"),
        ("en_GB", "o 'of' MMMM y", "3rd of June 2019"),
    ],
)
def test_the_territory_is_appended_only_if_the_order_is_ambiguous(locale, pattern, text):
    assert data.write(datetime.date(2019, 6, 3), data.Form(locale, locale, pattern)) == text


def test_the_territory_is_appended_to_an_ambiguous_month_name():
    october = datetime.date(2019, 10, 3)
    assert "listopada" in data.ambiguous_months()
    assert data.write(october, data.Form("hr_HR", "hr_HR", "d. MMMM y.")) == "3. listopada 2019. HR"
    assert data.write(october, data.Form("de_DE", "de_DE", "d. MMMM y")) == "3. Oktober 2019"


def test_two_digit_years_are_of_one_century():
    assert data.years_of(data.Form("en_US", "en_US", "M/d/yy")) == (1950, 2049)
    assert data.years_of(data.Form("en_US", "en_US", "M/d/y")) == (1900, 2099)


@pytest.mark.parametrize(
    ("locale", "days"),
    [
        ("en_US", {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st"}),
        ("fr_FR", {1: "1er", 2: "2"}),
        ("sv_SE", {1: "1:a", 3: "3:e", 11: "11:e", 22: "22:a"}),
        ("nl_NL", {1: "1e", 20: "20e"}),
    ],
)
def test_ordinals(locale, days):
    assert {day: data.ordinal(day, locale) for day in days} == days


@pytest.mark.parametrize(
    ("locale", "home", "pattern", "text"),
    [
        ("en_US", "en_US", "EEEE, MMM d, y", "Monday, Jun 3rd, 2019"),
        ("en_GB", "en_GB", "E, dd MMMM y", "Mon, 3rd June 2019"),
        ("sv_SE", "sv_SE", "'den' d MMMM y", "den 3:e juni 2019"),
        ("en_US", "en_US", "M/d/y", None),
        ("en_US", "de_DE", "d. MMMM y", None),
        ("de_DE", "de_DE", "d. MMMM y", None),
    ],
)
def test_the_form_with_the_ordinal_of_the_day(locale, home, pattern, text):
    form = data.with_ordinal(data.Form(locale, home, pattern))
    assert (data.write(datetime.date(2019, 6, 3), form) if form else None) == text


def test_plain_text_has_no_case_accents_and_punctuation():
    assert data.plain("Montag,  3. FÉVRIER 2019") == "montag 3 fevrier 2019"
    assert data.plain("मई 3") == "मई 3"


@pytest.mark.parametrize(
    ("pattern", "convention"),
    [
        ("d.M.yy", ("#.#.#", "dMy")),
        ("yy. M. d.", ("#.#.#", "yMd")),
        ("E, M/d/y", ("#/#/Y", "Mdy")),
        ("yMMdd", ("Y##", "yMd")),
    ],
)
def test_a_convention_is_a_shape_and_an_order(pattern, convention):
    assert data.convention(pattern) == convention
