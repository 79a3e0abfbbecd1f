"""Argument checks of the models."""

import numpy as np
import pytest

from keras_attention.models.parts.arguments import (
    as_locals,
    checked,
    int_or_pair,
    keywords,
    numbers_of_blocks,
    own_arguments,
    require_heads,
)
from keras_attention.ops.require import require_int, require_rate

CHECKS = {"size": require_int, "rate": require_rate}


class Model:
    def __init__(self, size, rate=0.5, *, dtype=None, **kwargs):
        self.arguments = checked(Model, locals(), CHECKS)


def test_checked_returns_the_values_of_the_checks():
    arguments = Model(np.int64(3), name="m", trainable=False, dtype="float16").arguments
    assert arguments == {"size": 3, "rate": 0.5} and type(arguments["size"]) is int
    assert own_arguments(Model) == ["size", "rate"]


def test_bad_and_unknown_arguments_raise():
    with pytest.raises(ValueError, match="`rate` must be a float in .*Received: rate=1.5"):
        Model(3, rate=1.5)
    with pytest.raises(ValueError) as raised:
        Model(3, raet=0.1, other=2)
    assert str(raised.value) == (
        "`Model` has no argument `raet` (did you mean `rate`?), `other`. It has: size, rate, dtype, name, trainable. "
        "Received: raet=0.1, other=2"
    )


def test_as_locals_matches_locals_of_the_constructor():
    values = as_locals(Model, {"size": 3, "name": "m", "raet": 0.1})
    assert values == {"size": 3, "rate": 0.5, "dtype": None, "kwargs": {"name": "m", "raet": 0.1}}


def test_checks_return_normalized_values():
    assert int_or_pair(np.int64(3), "block") == 3 and int_or_pair([1, 2], "block") == (1, 2)
    assert int_or_pair(0, "block", least=0) == 0 and int_or_pair((0, 1), "block", least=0) == (0, 1)
    assert numbers_of_blocks((3, 4), "blocks") == [3, 4]
    given = {"ratio": 3}
    assert keywords(None, "kwargs") == {} and keywords(given, "kwargs") == given
    assert keywords(given, "kwargs") is not given


def test_model_dim_must_be_divisible_by_num_heads_unless_sizes_are_given():
    require_heads({"model_dim": 12, "num_heads": 5, "key_dim": 3, "value_dim": 4})
    require_heads({"model_dim": 12, "num_heads": 4, "key_dim": None, "value_dim": None})
    for sizes in ({"key_dim": None}, {"key_dim": 3, "value_dim": None}):
        with pytest.raises(ValueError, match="`model_dim` must be divisible by `num_heads`"):
            require_heads({"model_dim": 12, "num_heads": 5, **sizes})
    require_heads({"model_dim": 12, "num_heads": 4})
    with pytest.raises(ValueError, match="divisible by `num_heads`. Received: model_dim=12, num_heads=5"):
        require_heads({"model_dim": 12, "num_heads": 5})
