"""The migration page lists every public name of tensorflow-addons, and only existing names of Keras and ours.

The examples of the other page with PyTorch and KerasHub run.
"""

import json
import pathlib
import re

import keras
import pytest

import keras_attention

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migrating_from_tensorflow_addons.md").read_text()
NAMES = json.loads((ROOT / "tests" / "goldens" / "tensorflow_addons.json").read_text())


def first_column(module):
    """The names in the left column of the table of `tfa.<module>`."""
    section = PAGE.split(f"\n## tfa.{module}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_of_tensorflow_addons_has_a_row(module):
    assert first_column(module) == set(NAMES[module])


def lookup(module, path):
    for name in path.split("."):
        module = getattr(module, name)
    return module


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?<![\w.])keras\.([a-z]+\.\w+)", PAGE))))
def test_names_of_keras_exist(path):
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
        pytest.skip("the page speaks of Keras 3.15")
    lookup(keras, path)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"(?<![\w.])((?:layers|decoding|training|migrate|models|ops)\.(?!md)\w+)", PAGE)))
)
def test_names_of_this_library_exist(path):
    lookup(keras_attention, path)


def test_names_without_a_replacement_do_not_exist_in_keras():
    for name in ("MaxUnpooling2D", "WeightNormalization", "NoisyDense", "Maxout", "StochasticDepth", "CRF"):
        assert not hasattr(keras.layers, name)
    for name in NAMES["rnn"]:
        assert not hasattr(keras.layers, name)
    pools = {"average_pool", "max_pool", "adaptive_average_pool", "adaptive_max_pool"}
    assert {name for name in dir(keras.ops) if "pool" in name} <= pools, "none returns the indices of the maxima"


@pytest.mark.parametrize(
    ("package", "number"),
    [("torch", 2), pytest.param("keras_hub", 1, marks=pytest.mark.slow)],  # slow to import
)
def test_examples_with_other_packages_run(package, number):
    pytest.importorskip(package)
    blocks = re.findall(r"^```py\n(.*?)^```", (ROOT / "docs" / "migrating.md").read_text(), re.S | re.M)
    blocks = [block for block in blocks if f"import {package}\n" in block]
    assert len(blocks) == number
    for block in blocks:
        exec(compile(block, "migrating.md", "exec"), {"__name__": "migrating"})
