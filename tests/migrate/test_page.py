"""The page on moving from tensorflow-addons names all of it, and names only what there is."""

import json
import pathlib
import re

import keras
import pytest

import keras_attention

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migrating_from_tensorflow_addons.md").read_text()
NAMES = json.loads((ROOT / "tests" / "goldens" / "tensorflow_addons.json").read_text())


def first_column(room):
    """The names in the left column of the table of `tfa.<room>`."""
    section = PAGE.split(f"\n## tfa.{room}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("room", NAMES)
def test_every_public_name_of_tensorflow_addons_has_its_row(room):
    assert first_column(room) == set(NAMES[room])


def lookup(module, path):
    for name in path.split("."):
        module = getattr(module, name)
    return module


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?<![\w.])keras\.([a-z]+\.\w+)", PAGE))))
def test_what_keras_is_said_to_have_is_there(path):
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
        pytest.skip("the page speaks of Keras 3.15")
    lookup(keras, path)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"(?<![\w.])((?:layers|decoding|training|migrate|models|ops)\.(?!md)\w+)", PAGE)))
)
def test_what_is_said_to_be_here_is_here(path):
    lookup(keras_attention, path)


def test_what_is_said_to_be_nowhere_in_keras_is_nowhere():
    for name in ("MaxUnpooling2D", "WeightNormalization", "NoisyDense", "Maxout", "StochasticDepth", "CRF"):
        assert not hasattr(keras.layers, name)
    for name in NAMES["rnn"]:
        assert not hasattr(keras.layers, name)
    pools = {"average_pool", "max_pool", "adaptive_average_pool", "adaptive_max_pool"}
    assert {name for name in dir(keras.ops) if "pool" in name} <= pools, "none returns where its maxima were"
