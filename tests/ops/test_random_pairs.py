"""Random calls of additive, local, non-local, block-local and monotonic attention against loops from the papers."""

import numpy as np
import pytest

from tests.ops.random_pairs import KINDS
from tests.random_runs import any_way, configurations, run
from tests.reference.attend import gradient_along


def check(rng, kind):
    arrays, trained, known, op, loops = KINDS[kind](rng)
    expected = loops(**arrays)
    cotangent = rng.standard_normal(expected[0].shape)
    results, gradients = run(op, arrays, trained, cotangent, any_way(rng), known)
    exact = next(iter(arrays.values())).dtype == "float64"
    for one, other in zip(results, expected, strict=False):
        np.testing.assert_allclose(one, other, rtol=1e-9 if exact else 1e-5, atol=1e-9 if exact else 2e-5)
    for name in trained:
        if gradients[name] is None:
            gradients[name] = np.zeros(arrays[name].shape)
        assert gradients[name].shape == arrays[name].shape and np.isfinite(gradients[name]).all(), name
        direction = rng.standard_normal(arrays[name].shape)
        along = gradient_along(
            lambda x, name=name: loops(**{**arrays, name: x})[0], [arrays[name]], [direction], cotangent
        )
        scale = 1 if exact else 20
        np.testing.assert_allclose(
            np.sum(gradients[name] * direction), along, rtol=1e-4 * scale, atol=1e-5 * scale, err_msg=f"d {name}"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_any_call_is_the_paper(kind):
    for name, rng in configurations(few=3):
        try:
            check(rng, kind)
        except Exception as error:
            raise AssertionError(f"{name} {kind}") from error
