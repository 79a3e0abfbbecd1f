"""Every constructor argument of every public layer refuses invalid values by name."""

import json

import pytest

from keras_attention import layers
from tests.layers.arguments import assert_refuses, bad_values, kind_of, of_numpy
from tests.layers.case import LayerCase
from tests.layers.conformance import each_kind
from tests.layers.recurrent_cases import CELLS

OF_KERAS = ("name", "trainable", "dtype")


def arguments(case):
    """The constructor's arguments with valid values: the config has them all."""
    config = case.layer(**case.init).get_config()
    return {name: value for name, value in config.items() if name not in OF_KERAS}


def refuses(case):
    assert_refuses(lambda **bad: case.layer(**{**case.init, **bad}), arguments(case))


@each_kind
def test_bad_arguments_are_refused_by_name(case):
    refuses(case)


def test_bad_arguments_of_cells_are_refused_by_name():
    for cell in CELLS:
        refuses(LayerCase(cell, {"units": 4}, (), (), 0))


def test_invalid_values_depend_on_the_argument():
    assert "no" in bad_values("use_bias", True) and bad_values("kernel_initializer", "zeros") == []
    assert 0 in bad_values("num_heads", 4) and 0 not in bad_values("memory_block", 1)
    assert -2 in bad_values("epsilon", 1e-6) and -2 not in bad_values("scale", None)
    assert kind_of("use_bias", "candidate") == "choice" and kind_of("seed", None) == "seed"


@each_kind
def test_an_unknown_keyword_is_refused_by_name(case):
    with pytest.raises(ValueError, match="dropuot"):
        case.layer(**case.init, dropuot=0.9)


@each_kind
def test_numpy_numbers_are_accepted_and_saved_as_python_numbers(case):
    good = arguments(case)
    given = {name: of_numpy(value) for name, value in good.items() if kind_of(name, value) and value is not None}
    config = case.layer(**{**case.init, **given}).get_config()
    assert {name: config[name] for name in good} == good
    json.dumps({name: config[name] for name in given})


def test_recurrent_layers_are_refused_as_cells():
    import keras

    for layer in (keras.layers.GRU(3), layers.GatedRecurrentUnit(3), keras.layers.RNN(keras.layers.GRUCell(3))):
        with pytest.raises(ValueError, match="`cell` must be a cell .*`GRUCell` and not `GRU`.*Received: cell=<"):
            layers.AttentionRNN(layer, layers.BahdanauAttention(4))
