"""The backend's kernel is used exactly where it supports the arguments."""

import numpy as np
import pytest

from keras_attention.ops.paths.fused import fused
from tests.backend import BACKEND, numpy
from tests.reference.attend import attend as reference

RNG = np.random.default_rng(0)
QUERY = RNG.standard_normal((2, 5, 4, 8)).astype("float32")
KEY, VALUE = RNG.standard_normal((2, 7, 2, 8)).astype("float32"), RNG.standard_normal((2, 7, 2, 8)).astype("float32")
DEFAULTS = {
    "mask": None,
    "key_mask": None,
    "causal": False,
    "query_offset": 0,
    "window": None,
    "bias": None,
    "dropout": 0.0,
}
KEYS = np.array([[True] * 5 + [False] * 2, [True] * 7])


def run(**options):
    import keras

    tensors = [keras.ops.convert_to_tensor(x) for x in (QUERY, KEY, VALUE)]
    return fused(*tensors, scale=0.5, seed=None, **{**DEFAULTS, **options})


@pytest.mark.parametrize("options", [{}, {"causal": True}, {"key_mask": KEYS}], ids=["plain", "causal", "padding"])
def test_kernel_matches_the_equation(options):
    context = run(**options)
    assert (context is not None) == (BACKEND == "torch"), "only PyTorch has a fused kernel for CPUs"
    if context is not None:
        expected, _ = reference(QUERY, KEY, VALUE, scale=0.5, **options)
        np.testing.assert_allclose(numpy(context), expected, atol=1e-5)


@pytest.mark.parametrize("H, V", [(8, 3), (5, 8)])
@pytest.mark.parametrize("options", [{}, {"causal": True}, {"key_mask": KEYS}], ids=["plain", "causal", "padding"])
def test_heads_of_different_sizes_match_the_equation(H, V, options):
    import keras

    parts = QUERY[..., :H], KEY[..., :H], VALUE[..., :V]
    tensors = [keras.ops.convert_to_tensor(x) for x in parts]
    context = fused(*tensors, scale=0.5, seed=None, **{**DEFAULTS, **options})
    assert (context is not None) == (BACKEND == "torch")
    if context is not None:
        expected, _ = reference(*parts, scale=0.5, **options)
        np.testing.assert_allclose(numpy(context), expected, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"causal": True, "query_offset": 2},
        {"causal": True, "key_mask": KEYS},
        {"window": 3},
        {"bias": np.zeros((1, 4, 11), "float32")},
        {"mask": np.ones((2, 1, 5, 7), bool)},
        {"dropout": 0.1},
    ],
    ids=str,
)
def test_no_kernel_for_unsupported_arguments(options):
    assert run(**options) is None
