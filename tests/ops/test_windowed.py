"""Dot-product attention in windows around centers, against NumPy loops: values and gradients."""

import functools

import numpy as np
import pytest

from keras_attention import ops
from tests.backend import COMPILED, DEFAULT, numpy, value_and_gradients
from tests.ops.test_additive import CENTER, KEY, QUERY, VALUE, B, T, V, masks, random
from tests.reference import memory_attention as reference
from tests.reference.attend import gradient_along

KINDS = {"after": {}, "before": {"renormalize": True}, "none": {"gaussian": False}}


def loops(kind, given):
    def run(query, key, value, center):
        weights = reference.soft(
            reference.multiplicative(query, key), center=center, half_width=2.2, gaussian=kind, **given
        )
        return reference.context(weights, value)

    return run


@functools.cache
def slopes(kind):
    """Context, and directional derivatives of the loops in float64, one for each argument alone."""
    arrays, run = [QUERY, KEY, VALUE, CENTER], loops(kind, masks())
    directions = [[random(*a.shape, seed=7) * (i == j) for j, a in enumerate(arrays)] for i in range(4)]
    cotangent = random(B, T, V, seed=6)
    return run(*arrays), [(d[i], gradient_along(run, arrays, d, cotangent)) for i, d in enumerate(directions)]


# Which kind is compiled: see tests/ops/test_additive.py.
GRADIENTS = [
    *[(DEFAULT, kind, block_size) for kind in KINDS for block_size in (2, 0)],
    *[(how, kind, 2) for how, kind in (("xla", "before"), ("dynamic", "after")) if how in set(COMPILED) - {DEFAULT}],
]


@pytest.mark.parametrize(("how", "kind", "block_size"), GRADIENTS)
def test_values_and_gradients_match_the_equation(how, kind, block_size):
    given, cotangent = masks(), random(B, T, V, seed=6)
    arrays = [QUERY, KEY, VALUE, CENTER]
    differentiated = arrays[:3] if how == "dynamic" else arrays

    def run(query, key, value, center=CENTER):
        return ops.windowed_attend(query, key, value, center, 2.2, block_size=block_size, **KINDS[kind], **given)

    value, gradients = value_and_gradients(run, differentiated, cotangent, how)
    expected, slope = slopes(kind)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    for gradient, (direction, along) in zip(gradients, slope):
        np.testing.assert_allclose(np.sum(gradient * direction), along, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_context_is_the_same_with_scores(kind):
    given = {**masks(), **KINDS[kind]}
    context, weights = ops.windowed_attend(QUERY, KEY, VALUE, CENTER, 2.2, return_scores=True, **given)
    plain = numpy(ops.windowed_attend(QUERY, KEY, VALUE, CENTER, 2.2, **given))
    np.testing.assert_allclose(plain, numpy(context), atol=1e-6)
    np.testing.assert_allclose(reference.context(numpy(weights), VALUE), plain, atol=1e-6)


def test_wide_window_is_global_attention():
    """With D, and so sigma, much larger than S."""
    expected = ops.attend(*(x[:, :, None] for x in (QUERY, KEY, VALUE)), scale=1.0)[:, :, 0]
    for kind in KINDS.values():
        got = ops.windowed_attend(QUERY, KEY, VALUE, CENTER, 1e6, **kind)
        np.testing.assert_allclose(numpy(got), numpy(expected), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_size", [0, 2])
def test_query_with_infinite_or_nan_center_gets_zeros(kind, block_size):
    nowhere = np.array(CENTER)
    nowhere[0, :4], nowhere[1, 2] = [np.inf, -np.inf, np.nan, 1e30], -1e9
    lost = ~(np.abs(nowhere) < 100)

    def run(query, key, value, center):
        return ops.windowed_attend(query, key, value, center, 2.2, block_size=block_size, **KINDS[kind])

    value, gradients = value_and_gradients(run, [QUERY, KEY, VALUE, nowhere], random(B, T, V, seed=6))
    np.testing.assert_allclose(value, loops(kind, {})(QUERY, KEY, VALUE, nowhere), atol=1e-5)
    assert lost.sum() == 5 and not value[lost].any() and value[~lost].any()
    assert all(np.isfinite(g).all() for g in gradients)
    assert not gradients[0][lost].any() and not gradients[3][lost].any()


def test_tiny_window_selects_the_key_at_its_center():
    centers = np.tile(np.arange(1.0, T + 1), (B, 1)).astype("float32")
    for kind in KINDS.values():
        got = ops.windowed_attend(QUERY, KEY, VALUE, centers, 1e-30, **kind)
        np.testing.assert_allclose(numpy(got), VALUE[:, 1 : T + 1], atol=1e-6)
