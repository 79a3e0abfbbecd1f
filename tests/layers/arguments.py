"""Invalid constructor arguments, derived from valid ones: shared by the tests of layers and models."""

import re

import numpy as np
import pytest

NAN, INF = float("nan"), float("inf")
# Invalid values of each kind.
BAD = {
    "bool": ["no", "", 1, 0.0, NAN],
    "int": [1.5, 2.0, NAN, True, "3", [3]],
    "ints": ["3", 1.5, NAN, True, (1.5,), (True, 2), {3}],
    "rate": [1.5, 1, -0.1, NAN, True, "0.1"],
    "number": [NAN, INF, True, "0.1", 1j],
    "seed": [1.5, 2.0, -1, NAN, True, "3"],
    "choice": ["no such choice", 1.5, True, 0],
    "choices": [(), "no such choice", ("no such choice",), 3],
    "blocks": [(), 2, "12"],
    "dict": ["no", 3, [1], {3: 4}],
    "rates": [0.9, (0.9,), (0.9, 1.5), ("0.9", 0.9), (0.9, True)],
}
# The kinds of arguments whose valid value does not determine it.
KINDS = {
    "seed": "seed",
    "dropout": "rate",
    "attention_dropout": "rate",
    "momentum": "rate",
    "axis": "choice",
    "data_format": "choice",
    "extent": "choice",
    "pools": "choice",
    "window": "choice",
    "attention_axes": "ints",
    "output_shape": "ints",
    "rotary_dim": "int",
    "logit_cap": "number",
    "scaling": "dict",
    "query_block": "ints",
    "memory_block": "ints",
    "patch_size": "ints",
    "pool_sizes": "ints",
    "half_width": "number",
    "key_dim": "int",
    "value_dim": "int",
    "num_key_value_heads": "int",
    "sliding_window": "int",
    "units": "int",
    "max_length": "int",
    "flash_attention": "bool",
    "score_bias": "bool",
    "scale": "number",
}
# Exceptions that are valid: `use_bias` is one of True, False and "candidate".
CHOICES = [("use_bias", True)]
# Numbers and sizes that may be 0, and numbers that may be negative.
MAY_BE_ZERO = {
    "memory_block",
    "attention_axes",
    "sigmoid_noise",
    "score_bias_init",
    "scale",
    "num_encoder_layers",
    "num_blocks",
}
MAY_BE_NEGATIVE = {"attention_axes", "score_bias_init", "scale"}
# Keras's own objects, with Keras's errors.
OBJECTS = re.compile(
    r"initializer|regularizer|constraint|activation|^(layer|cell|attention|attentional_layer|feed_forward|rotary|position_bias)$"
)


def kind_of(name, good, kinds=None):
    """The kind of an argument, `None` for an object of Keras; `kinds` overrides it for one constructor."""
    if name in (kinds or {}):
        return kinds[name]
    if OBJECTS.search(name):
        return None
    if isinstance(good, bool):
        return "bool"
    if isinstance(good, str):
        return "choice"
    if name in KINDS:
        return KINDS[name]
    return {int: "int", float: "number", tuple: "ints"}[type(good)]


def bad_values(name, good, kinds=None):
    """Values that an argument must refuse; `good` is a valid one."""
    kind = kind_of(name, good, kinds)
    if kind is None:
        return []
    values = [value for value in BAD[kind] if (name, value) not in CHOICES]
    if kind in ("int", "ints", "number"):
        values += [0] * (name not in MAY_BE_ZERO) + [-2] * (name not in MAY_BE_NEGATIVE)
    return values


def assert_refuses(make, names, kinds=None):
    """`make(**{name: value})` raises an error with the argument's name and value, for all invalid values.

    Args:
        make: Function of keyword arguments.
        names: Valid values by the names of the arguments.
        kinds: See `kind_of`.
    """
    for name, good in names.items():
        for value in bad_values(name, good, kinds):
            try:
                make(**{name: value})
            except (ValueError, TypeError) as error:
                message = str(error)
                assert f"`{name}`" in message and "Received: " in message and repr(value) in message, message
            else:
                pytest.fail(f"{name}={value!r} was accepted")


def of_numpy(value):
    """The number as a NumPy scalar; anything else unchanged."""
    kinds = {bool: np.bool_, int: np.int64, float: np.float64}
    return kinds[type(value)](value) if type(value) in kinds else value
