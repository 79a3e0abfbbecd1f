import datetime
import re
import types

import dates_absent
import dates_data as data
import pytest
from dates_absent import KINDS, AnyDay
from dates_split import Split


@pytest.fixture(scope="module")
def split():
    """In place of a `Split`, which takes seconds: every second form and a year of each decade are held out."""
    home, english = data.home_forms(), ("MMMM d, y", "EEE, MMM d, y")
    return types.SimpleNamespace(
        trained_home=home[::2],
        held_out_home=home[1::2],
        trained_mixed=[data.Form("de_DE", "en_US", pattern) for pattern in english],
        held_out_mixed=[data.Form("es_ES", "en_US", pattern) for pattern in english],
        held_out_years=frozenset(range(1903, 2100, 10)),
    )


@pytest.fixture(scope="module")
def absent(split):
    return dates_absent.Absent(split, seed=3)


@pytest.fixture(scope="module")
def training(absent):
    return absent.training(3000, seed=3)


@pytest.fixture(scope="module")
def held_out(absent):
    return {kind: absent.held_out(kind, 200, seed=3) for kind in KINDS}


def is_day(iso):
    try:
        return data.FIRST_YEAR <= datetime.date.fromisoformat(iso).year <= data.LAST_YEAR
    except ValueError:
        return False


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "without territory"])
def test_no_text_has_a_day_of_the_calendar(kind, held_out):
    assert len(held_out[kind]) == 200
    assert not any(is_day(sample.iso) for sample in held_out[kind])


def test_impossible_days_and_other_years_are_copied(held_out):
    for kind in ("no such day", "other years"):
        for sample in held_out[kind]:
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", sample.iso)
    assert {sample.iso[5:] for sample in held_out["no such day"]} > {"02-30", "02-31"}
    years = {int(sample.iso[:4]) for sample in held_out["other years"]}
    assert min(years) < 1899 and max(years) > 2100 and not years & set(range(1900, 2100))


@pytest.mark.slow
def test_no_text_means_a_date_in_the_training_data_of_dates():
    split = Split(seed=3)
    absent = dates_absent.Absent(split, seed=3)
    dates = {" ".join(s.text.lower().split()): s.iso for s in split.training(100_000, seed=3)}
    held_out = (sample for kind in KINDS for sample in absent.held_out(kind, 1000, seed=3))
    for sample in (*absent.training(30_000, seed=3), *held_out):
        text = " ".join(sample.text.lower().split())
        assert dates.get(text, sample.iso) == sample.iso, text


def test_held_out_texts_are_never_trained(split, absent, training, held_out):
    trained = {sample.text.lower() for sample in absent.training(10_000, seed=3)}
    for kind in KINDS:
        assert not trained & {sample.text.lower() for sample in held_out[kind]}, kind
    assert not {s.form for s in training if s.form} & {s.form for s in held_out["no such day"]}
    assert not split.held_out_years & {int(s.iso[:4]) for s in training if s.iso}


def test_held_out_words_are_new_but_for_case_accents_and_punctuation(split, monkeypatch):
    names = [f"Fidżi{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    written = [[name, name.upper(), f"({name})", data.plain(name)][: 1 + i % 4] for i, name in enumerate(names)]
    monkeypatch.setattr(dates_absent, "everyday_names", lambda: [name for several in written for name in several])
    absent = dates_absent.Absent(split, seed=3)
    trained, new = (
        {name for sample in samples for name in re.findall(r"\bfidzi\w\b", data.plain(sample.text))}
        for samples in (absent.training(3000, seed=3), absent.held_out("words", 50, seed=3))
    )
    assert new and not trained & new


def test_held_out_names_in_a_row_are_not_trained_ones_in_a_row(absent, monkeypatch):
    monkeypatch.setattr(absent, "_names", {False: ["alpha", "beta gamma"], True: ["alpha beta", "gamma"]})
    monkeypatch.setattr(absent, "_trained_names", frozenset({"alpha", "beta gamma"}))
    texts = {sample.text.lower() for sample in absent.held_out("words", 200, seed=3)}
    assert "gamma alpha beta" in texts and "alpha beta gamma" not in texts


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("FIDZI", True),
        ("12 fidżi", True),
        ("Fidżi-Kenya (Peru)", True),
        ("Peru Peru Peru Peru", False),
        ("Kenyan", False),
    ],
)
def test_words_are_known_in_any_case_and_in_a_row(absent, monkeypatch, text, named):
    monkeypatch.setattr(absent, "_trained_names", frozenset({"fidzi", "kenya", "peru"}))
    assert absent._is_named(text) == named


def test_fewer_samples_than_asked_for_if_training_can_write_the_rest(absent, monkeypatch):
    monkeypatch.setitem(absent._templates, True, ["£#"])
    assert len(absent.held_out("numbers", 20, seed=3)) == 10


@pytest.mark.parametrize(
    ("locale", "pattern", "day", "found"),
    [
        ("en_US", "M/d/yy", (2019, 6, 3), {"2019-06-03", "2019-03-06"}),
        ("en_US", "M/d/y", (2019, 12, 25), {"2019-12-25"}),
        ("en_US", "M/d/y", (2019, 6, 6), {"2019-06-06"}),
        ("de_DE", "d.M.y", (2019, 6, 3), {"2019-06-03"}),
        ("sv_SE", "y-MM-dd", (2019, 6, 3), {"2019-06-03"}),
    ],
)
def test_the_readings_of_numbers_without_a_territory(locale, pattern, day, found):
    form = data.Form(locale, locale, pattern)
    assert {date.isoformat() for date in dates_absent.readings(form, datetime.date(*day))} == found


def test_a_date_without_its_territory_is_read_if_it_has_one_reading(held_out):
    samples = held_out["without territory"]
    assert not any(s.text.lower().endswith(f" {s.form.names[3:].lower()}") for s in samples)
    alone = [s for s in samples if is_day(s.iso)]
    assert 20 < len(alone) < 180 and all(s.form.numeric for s in alone)


@pytest.mark.parametrize(
    ("days", "given", "iso"),
    [
        ([(2019, 6, 3), (2019, 3, 6)], "yMd", "2019-00-00"),
        ([(2019, 6, 3), (2019, 6, 5)], "yMd", "2019-06-00"),
        ([(2019, 6, 3)], "yMd", "2019-06-03"),
        ([(2019, 6, 3)], "yMMMM", "2019-06-00"),
        ([(2019, 6, 3)], "LLLLo", "0000-06-03"),
        ([(2019, 6, 3)], "EEEE", ""),
        ([(2006, 3, 19), (2019, 6, 3)], "yMd", ""),
        ([], "yMd", ""),
    ],
)
def test_what_is_missing_or_ambiguous_is_zeros(days, given, iso):
    assert dates_absent.partial([datetime.date(*day) for day in days], given) == iso


def test_incomplete_dates_are_trained_with_the_fields_that_they_have(split, held_out):
    for sample in held_out["incomplete"]:
        year, month, day = sample.iso.split("-") if sample.iso else ("0000", "00", "00")
        assert "00" in (month, day) or year == "0000"
        assert year in ("0000", "1903") or int(year) in split.held_out_years
        assert year == "0000" or year in sample.text.translate(str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789"))
    assert {sample.iso[:4] == "0000" for sample in held_out["incomplete"] if sample.iso} == {True, False}
    assert not any(sample.iso for sample in held_out["incomplete"] if re.search(r"\d[/.]\d", sample.text))


def test_a_day_that_is_not_in_the_calendar_is_written():
    form = data.Form("en_US", "en_US", "EEEE, MMMM d, y")
    assert data.write(AnyDay(2019, 2, 31, 0), form) == "Monday, February 31, 2019"
    assert AnyDay(856, 2, 31, 0).isoformat() == "0856-02-31"


def test_samples_depend_on_the_seed_alone(split, absent):
    again = dates_absent.Absent(split, seed=3)
    assert again.training(50, seed=3) == absent.training(50, seed=3) != absent.training(50, seed=4)


def test_templates_never_write_eight_digits_in_a_row():
    for template in (*dates_absent.TEMPLATES, *dates_absent.HELD_OUT_TEMPLATES):
        assert not re.search(r"(?<!#)#{8}(?!#)", template)
