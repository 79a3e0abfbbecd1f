import datetime
import random

import dates_data as data
import dates_incomplete
import pytest
from dates_split import typed, typos


@pytest.mark.parametrize(
    ("pattern", "dropped", "kept"),
    [
        ("EEEE, d. MMMM y", "y", "EEEE', 'd'. 'MMMM"),
        ("EEEE, d. MMMM y", "ML", "EEEE', 'd' 'y"),
        ("M/d/yy", "do", "M'/'yy"),
        ("d 'de' MMMM 'de' y", "yEcdo", "MMMM"),
        ("y年M月d日", "yMLdo", ""),
    ],
)
def test_fields_are_left_out_with_their_separators(pattern, dropped, kept):
    left = dates_incomplete.without(pattern, dropped)
    assert data.tokens(left) == data.tokens(kept) or (not data.fields(left) and not kept)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mo., 3.", "mo#"),
        (" mo  3 ", "mo#"),
        ("3. März  2019", "#marz####"),
        ("KASIM", "kasim"),
        ("kasım", "kasim"),
        ("٣ يونيو", "#يونيو"),
        ("2019年6月", "####年#月"),
        ("3. 6.", "# #"),
        ("3.6", "# #"),
        ("03/6", "#/#"),
        ("201906", "######"),
    ],
)
def test_the_outline_of_a_text(text, found):
    assert dates_incomplete.outline(text) == found


@pytest.mark.parametrize(
    ("locale", "pattern"),
    [
        ("de_DE", "EEEE', den' d. MMMM y"),
        ("en_US", "EEE, MMM o, y"),
        ("hr_HR", "d. MMMM y."),
        ("tr_TR", "d MMMM y EEEE"),
        ("zh_CN", "y年M月d日EEEE"),
        ("vi_VN", "EEEE, 'ngày' d MMMM, y"),
        ("ar_EG", "EEEE، d MMMM y"),
        ("sv_SE", "yMMdd"),
        ("en_US", "M/d/yy"),
    ],
)
def test_outlines_are_those_of_all_texts_that_are_typed_correctly(locale, pattern):
    form, rng = data.Form(locale, locale, pattern), random.Random(3)
    found, seen = dates_incomplete.outlines([form]), set()
    for _ in range(2000):
        day = datetime.date(rng.randrange(1950, 2050), 1, 1) + datetime.timedelta(days=rng.randrange(365))
        kept = dates_incomplete.without(pattern, rng.choice(dates_incomplete.DROPPED))
        if data.fields(kept) and "slip" not in (sample := typed(day, data.Form(locale, locale, kept), rng)).noise:
            seen.add(dates_incomplete.outline(sample.text))
    assert seen <= found and len(seen) > len(found) / 2


def test_months_that_are_typed_alike_share_outlines():
    assert "mars" in typos("marts")
    danish, norwegian = (data.Form(locale, locale, "d. MMMM") for locale in ("da_DK", "nb_NO"))
    found = dates_incomplete.outlines_as_typed(norwegian, datetime.date(2019, 3, 6))
    assert found >= {"#mars", "#marts"} and "#april" not in found
    assert dates_incomplete.outlines_as_typed(danish, datetime.date(2019, 3, 6)) >= {"#mars", "#marts"}


def test_a_number_has_one_outline():
    form = data.Form("de_DE", "de_DE", "d.M")
    assert dates_incomplete.outlines_as_typed(form, datetime.date(2019, 3, 6)) == {"# #"}
