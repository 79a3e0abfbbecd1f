import re

import numpy as np
import pytest
from keras import ops

from keras_attention import decoding

DECODERS = [decoding.greedy, decoding.sample, decoding.beam_search]
each_decoder = pytest.mark.parametrize("decode", DECODERS, ids=lambda f: f.__name__)


def step(tokens, cache, index):
    return ops.one_hot(tokens, 5), cache


GOOD = {"step": step, "cache": (), "start_tokens": [1, 2], "max_length": 3, "end_token": 4, "pad_token": 0}


@each_decoder
@pytest.mark.parametrize(
    "bad, message",
    [
        ({"step": None}, "`step` must be callable"),
        ({"max_length": 0}, "`max_length` must be an int of at least 1. Received: max_length=0"),
        ({"max_length": 2.5}, "`max_length` must be an int"),
        ({"max_length": True}, "`max_length` must be an int"),
        ({"end_token": -1}, "`end_token` must be an int of at least 0"),
        ({"end_token": 5}, "`end_token` must be one of the V=5 tokens"),
        ({"pad_token": None}, "`pad_token` must be an int"),
        ({"start_tokens": [[1, 2]]}, "`start_tokens` must be integers of shape [B]"),
        ({"start_tokens": 1}, "`start_tokens` must be integers of shape [B]"),
        ({"start_tokens": [1.0, 2.0]}, "`start_tokens` must be integers of shape [B]"),
        ({"cache": {"a": np.zeros((3, 7))}}, "first axis of every leaf of `cache` must be the batch"),
        ({"cache": {"a": np.zeros(())}}, "first axis of every leaf of `cache` must be the batch"),
        ({"cache": None}, "for no cache pass `()`"),
    ],
)
def test_bad_arguments_are_refused(decode, bad, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        decode(**{**GOOD, **bad})


@each_decoder
@pytest.mark.parametrize(
    "broken, message",
    [
        (lambda t, c, i: (ops.one_hot(t, 5)[:, None], c), "logits of shape [B, V]"),
        (lambda t, c, i: (ops.one_hot(t, 5), {}), "a cache of the structure it was given"),
        (lambda t, c, i: (ops.one_hot(t, 5), {"a": c["a"][:, :2]}), "with the shape and dtype it was given"),
        (lambda t, c, i: (ops.one_hot(t, 5), {"a": ops.cast(c["a"], "int32")}), "with the shape and dtype"),
    ],
)
def test_a_broken_step_is_named(decode, broken, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        decode(**{**GOOD, "step": broken, "cache": {"a": np.zeros((2, 3), "float32")}})


@each_decoder
def test_half_precision_logits_are_read_in_float32(decode):
    # 1001 and 1000.9 are one number in bfloat16, but their sum of probabilities must still be exact.
    def half(tokens, cache, index):
        return ops.cast(ops.one_hot(tokens, 5), "bfloat16"), cache

    if decode is decoding.beam_search:
        _, scores = decode(**{**GOOD, "step": half})
        _, exact = decode(**GOOD)
        np.testing.assert_array_equal(ops.convert_to_numpy(scores), ops.convert_to_numpy(exact))
    else:
        assert tuple(decode(**{**GOOD, "step": half}).shape) == (2, 3)
