"""Wrong arguments of attention over pairs are refused by name, whichever op they are given to."""

import numpy as np
import pytest

from keras_attention import ops
from keras_attention.ops.pair_checks import require_length

B, T, S, U, V = 2, 5, 7, 3, 4


def array(*shape):
    return np.ones(shape, "float32")


TENSORS = {"query": array(B, T, U), "key": array(B, S, U), "value": array(B, S, V)}
CALLS = {
    "additive": lambda **x: ops.additive_attend(**{"vector": array(U), **TENSORS, **x}),
    "local": lambda **x: ops.windowed_attend(**{"center": array(B, T), "half_width": 2.0, **TENSORS, **x}),
    "non_local": lambda **x: ops.non_local(**TENSORS | x),
}
LOGITS = {"logits": lambda **x: ops.additive_logits(**{"vector": array(U), **_pair(TENSORS), **x})}
WINDOW = {"center": array(B, T), "half_width": 2.0}
WINDOWS = {"additive": lambda **x: CALLS["additive"](**{**WINDOW, **x}), "local": CALLS["local"]}


def _pair(tensors):
    return {name: tensors[name] for name in ("query", "key")}


def refuse(calls, argument, given):
    for call in calls.values():
        with pytest.raises(ValueError, match=f"`{argument}`.*Received: "):
            call(**given)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("query", {"query": array(B, U)}),
        ("query", {"query": array(B, T, 2, U)}),
        ("key", {"key": array(B, S, U + 1)}),
        ("key", {"key": array(B + 1, S, U)}),
        ("block_size", {"block_size": -1}),
        ("block_size", {"block_size": 2.5}),
        ("block_size", {"block_size": True}),
    ],
)
def test_queries_and_keys_are_checked_by_every_function(argument, given):
    refuse({**CALLS, **LOGITS}, argument, given)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("value", {"value": array(B, S + 1, V)}),
        ("value", {"value": array(B + 1, S, V)}),
        ("value", {"value": array(S, V)}),
        ("key_mask", {"key_mask": np.ones((B, 1), bool)}),
        ("key_mask", {"key_mask": np.ones((S,), bool)}),
        ("query_mask", {"query_mask": np.ones((B, S), bool)}),
        ("return_scores", {"return_scores": "yes"}),
    ],
)
def test_values_and_masks_are_checked_by_every_attention(argument, given):
    refuse(CALLS, argument, given)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("attention_mask", {"mask": np.ones((B, S, T), bool)}),
        ("attention_mask", {"mask": np.ones((B, 1, T, S), bool)}),
        ("attention_mask", {"mask": np.ones((S,), bool)}),
        ("half_width", {"half_width": -1.0}),
        ("half_width", {"half_width": 0}),
        ("half_width", {"half_width": float("nan")}),
        ("half_width", {"half_width": None}),
        ("center", {"center": array(B, S)}),
        ("gaussian", {"gaussian": "yes"}),
        ("renormalize", {"renormalize": "no"}),
    ],
)
def test_masks_and_windows_are_checked_by_every_windowed_attention(argument, given):
    refuse(WINDOWS, argument, given)


@pytest.mark.parametrize(
    ("call", "argument", "given"),
    [
        (CALLS["additive"], "vector", {"vector": array(U + 1)}),
        (CALLS["additive"], "half_width", {"half_width": 2.0}),
        (LOGITS["logits"], "vector", {"vector": array(U, 1)}),
        (LOGITS["logits"], "coverage_vector", {"coverage": array(B, S)}),
        (LOGITS["logits"], "coverage", {"coverage": array(B, T), "coverage_vector": array(U)}),
        (CALLS["non_local"], "scale", {"scale": float("nan")}),
        (CALLS["non_local"], "scale", {"scale": "inv_sqrt"}),
        (lambda **x: ops.gaussian_window(1.0, **x), "length", {"length": -1, "half_width": 2}),
        (lambda **x: ops.gaussian_window(1.0, **x), "length", {"length": 2.5, "half_width": 2}),
        (lambda **x: ops.gaussian_window(1.0, **x), "half_width", {"length": 5, "half_width": -2}),
    ],
)
def test_arguments_of_single_functions_are_checked(call, argument, given):
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: "):
        call(**given)


def test_lengths_are_ints_or_scalar_integer_tensors():
    for good in (0, np.int64(3), np.array(3)[()]):
        require_length(good, "length")
    for bad in (True, "3", 2.0, None):
        with pytest.raises(ValueError, match="`length`"):
            require_length(bad, "length")


def test_numpy_numbers_are_numbers():
    numbers = {"block_size": np.int64(2), "half_width": np.float32(2.0)}
    assert tuple(WINDOWS["additive"](**numbers).shape) == (B, T, V)
