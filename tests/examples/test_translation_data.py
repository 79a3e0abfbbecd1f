import json
import zipfile

import pytest
import translation_data
from translation_data import Pair


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "package.whl"
    texts = {
        ("lamp", "en"): {"title": "Lamp", "config": {"error": {"b": "Lamp  not\nfound", "a": "No lamp"}}},
        ("lamp", "es"): {"config": {"error": {"a": "Sin lámpara", "b": "Lámpara no encontrada"}}, "new": "Nuevo"},
        ("clock", "en"): {"title": "Clock"},
        ("clock", "es"): {"title": "Reloj"},
        ("only_spanish", "es"): {"title": "Sólo"},
        ("clock", "de"): {"title": "Uhr"},
    }
    with zipfile.ZipFile(path, "w") as archive:
        for (group, language), tree in texts.items():
            archive.writestr(f"package/components/{group}/translations/{language}.json", json.dumps(tree))
        archive.writestr("package/es.json", "{}")
    return path


def test_texts_are_paired_by_their_keys_in_a_fixed_order(wheel):
    assert translation_data.read(wheel, "es") == [
        Pair("clock", "Clock", "Reloj"),
        Pair("lamp", "No lamp", "Sin lámpara"),
        Pair("lamp", "Lamp not found", "Lámpara no encontrada"),
    ]


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Voltage L1 (phase)", "voltage l2: Phase", True),
        ("Set {name}.", "set  name", True),
        ("Set the name", "Set the names", False),
        ("Öffne_das", "öffne das", True),
    ],
)
def test_outline(one, other, same):
    assert (translation_data.outline(one) == translation_data.outline(other)) == same


def random_pairs(groups=40, texts=9):
    """Texts of which some are common to all integrations, and some differ in digits only."""
    for g in range(groups):
        own = "abcdefgh"[g % 8] * (1 + g // 8)
        for i in range(texts):
            yield Pair(f"g{g}", f"the {own} has value {'xyzuvwrst'[i]}", f"el {own} tiene valor {'xyzuvwrst'[i]}")
        yield Pair(f"g{g}", f"it could not connect {g}", f"no se pudo conectar {g}")
        yield Pair(f"g{g}", f"the {own} cannot be reached", f"no se puede alcanzar {g}")
        yield Pair(f"g{g}", f"enter the {g} password now", f"introduzca la clave número {'abcdefgh'[g % 8]} {g}")


def test_no_held_out_text_is_in_the_training_data():
    pairs = list(random_pairs())
    training, held_out = translation_data.split(pairs, seed=3, held_out=0.2)
    assert not {p.group for p in training} & {p.group for p in held_out}
    known = {translation_data.outline(t) for p in training for t in (p.source, p.target)}
    assert not known & {translation_data.outline(t) for p in held_out for t in (p.source, p.target)}
    assert len({p.source for p in training}) == len(training)
    # Only the nine texts of each of the eight held-out integrations are left, not the common ones.
    assert len(held_out) == 8 * 9


def test_held_out_texts_have_different_outlines():
    pairs = [
        Pair(f"g{g}", f"there are {i} of {'abcdefghij'[g]}", f"hay {i} de {'abcdefghij'[g]}")
        for g in range(10)
        for i in range(5)
    ]
    training, held_out = translation_data.split(pairs, seed=0, held_out=0.3)
    assert (len(training), len(held_out)) == (7 * 5, 3)


def test_the_split_depends_on_the_seed_alone():
    pairs = list(random_pairs())
    assert translation_data.split(pairs, seed=1) == translation_data.split(pairs, seed=1)
    assert translation_data.split(pairs, seed=1) != translation_data.split(pairs, seed=2)


@pytest.mark.parametrize(
    "source, target, kept",
    [
        ("one two three", "uno dos", True),
        ("one two", "uno dos", False),
        ("w " * 50, "w " * 75 + "x", False),
        ("w " * 50, "v " * 75, True),
        ("w " * 51, "v " * 40, False),
        ("one two three", "uno", False),
        ("Home Assistant Cloud", "home assistant cloud", False),
    ],
)
def test_pairs_are_filtered_by_length_and_translation(source, target, kept):
    assert translation_data.suits(Pair("g", source, target)) is kept
