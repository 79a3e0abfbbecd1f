import dataclasses
import re

import dates_data as data
import dates_split
import pytest
from dates_split import KINDS, Split


@pytest.fixture(scope="module")
def split():
    return Split(seed=3)


@pytest.fixture(scope="module")
def training(split):
    return split.training(4_000, seed=3)


@pytest.fixture(scope="module")
def held_out(split):
    return {kind: split.held_out(kind, 400, seed=3) for kind in KINDS}


def outlines(samples):
    return {dates_split.outline(s.form, dates_split.day_of(s.iso)) for s in samples}


def years(samples):
    return {int(s.iso[:4]) for s in samples}


def test_no_held_out_text_is_in_the_training_data(training, held_out):
    trained = {data.plain(s.text) for s in training}
    for kind in KINDS:
        assert not trained & {data.plain(s.text) for s in held_out[kind]}


def test_held_out_years_are_never_trained(split, training, held_out):
    assert len(split.held_out_years) == 20
    assert not years(training) & split.held_out_years
    assert years(held_out["years"]) <= split.held_out_years
    assert years(held_out["all new"]) <= split.held_out_years


def test_every_digit_of_a_held_out_year_is_trained_at_its_position(split, training):
    for year in split.held_out_years:
        assert {y // 10 for y in years(training)} >= {year // 10}
        assert {y % 10 for y in years(training)} >= {year % 10}


@pytest.mark.parametrize("kind", ["formats", "mixtures", "all new"])
def test_held_out_outlines_are_never_trained(training, held_out, kind):
    assert not outlines(training) & outlines(held_out[kind])


def test_only_the_years_are_new_in_the_held_out_years(split, held_out):
    assert outlines(held_out["years"]) <= split.trained_outlines


def test_held_out_formats_are_home_forms_and_mixtures_are_not(split, held_out):
    assert not any(s.form.mixed for s in held_out["formats"])
    assert all((s.form.names, s.form.home) in split.held_out_pairs for s in held_out["mixtures"])
    assert len({s.form.names for s in held_out["formats"]}) >= 20
    assert len({s.form.names for s in held_out["mixtures"]}) >= 15


def test_the_words_of_held_out_formats_are_trained(split):
    words = {word for outline in split.trained_outlines for word in outline.split()}
    for form in split.held_out_home:
        assert {word for outline in dates_split.outlines(form) for word in outline.split()} <= words | {"o"}, form


@pytest.mark.parametrize("seed", range(3))
def test_the_separators_of_held_out_numbers_are_trained_in_their_order(seed):
    split = Split(seed)
    trained = {data.convention(form.pattern) for form in split.trained_home if form.numeric}
    assert all(data.convention(form.pattern) in trained for form in split.held_out_home if form.numeric)


def test_a_text_has_one_date(training, held_out):
    meaning = {}
    for sample in (*training, *(s for kind in KINDS for s in held_out[kind])):
        text = " ".join(sample.text.lower().split())
        assert meaning.setdefault(text, sample.iso) == sample.iso, text


def test_every_locale_and_every_kind_of_noise_is_trained(training):
    assert {s.form.names for s in training} == set(data.LOCALES)
    noise = {name for s in training for name in s.noise}
    assert noise == {"slip", "native digits", "no accents", "no punctuation", "case", "spaces"}


def test_months_first_and_everyday_languages_are_trained_more_often(training, held_out):
    samples = [s for kind in ("formats", "mixtures") for s in held_out[kind]]
    for locale, weight in {"en_US": 3, "fr_FR": 2, "pl_PL": 1}.items():
        trained = sum(s.form.names == locale for s in training) / len(training)
        assert trained == pytest.approx(weight / (len(data.LOCALES) + len(dates_split.OFTEN)), rel=0.25)
    assert sum(s.form.names == "en_US" for s in samples) / len(samples) < 0.06
    assert sum(s.form.mixed for s in training) / len(training) == pytest.approx(dates_split.MIXED, rel=0.1)


def test_ordinals_are_trained_in_forms_that_are_written_without(training):
    added = {f.names[:2] for f in (s.form for s in training) if "o" in data.fields(f.pattern)}
    assert added >= set(data.ORDINALS)
    own = {dataclasses.replace(s.form, weekdays="") for s in training if not s.form.mixed}
    assert any("o" in data.fields(form.pattern) for form in own - set(data.home_forms()))


def test_split_and_samples_depend_on_the_seed_alone(split):
    again = Split(seed=3)
    assert again.held_out_years == split.held_out_years
    assert again.held_out_home == split.held_out_home
    assert again.training(50, seed=3) == split.training(50, seed=3)
    assert again.training(50, seed=4) != split.training(50, seed=3)


def test_a_typo_never_turns_one_month_into_another():
    months = {}
    for locale in data.LOCALES:
        for field in ("MMM", "MMMM", "LLL", "LLLL"):
            for month, word in data.names(locale)[field].items():
                months.setdefault(data.plain(word), set()).add(month)
    for word, month in dates_split.typed_words().items():
        assert months.get(word, {month}) == {month}


def test_iso_dates_are_iso_dates(training):
    assert all(re.fullmatch(r"(19|20)\d\d-[01]\d-[0-3]\d", s.iso) for s in training)
