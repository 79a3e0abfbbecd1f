"""Random calls of additive, local, non-local, block-local and monotonic attention against loops from the papers."""

import numpy as np
import pytest

from tests.ops.random_pairs import KINDS
from tests.random_runs import any_way, check_all, check_gradients, run


def check(rng, kind):
    arrays, trained, known, op, loops = KINDS[kind](rng)
    expected = loops(**arrays)
    cotangent = rng.standard_normal(expected[0].shape)
    results, gradients = run(op, arrays, trained, cotangent, any_way(rng), known)
    exact = next(iter(arrays.values())).dtype == "float64"
    for one, other in zip(results, expected, strict=False):
        np.testing.assert_allclose(one, other, rtol=1e-9 if exact else 1e-5, atol=1e-9 if exact else 2e-5)
    scale = 1 if exact else 20
    check_gradients(rng, loops, arrays, gradients, cotangent, rtol=1e-4 * scale, atol=1e-5 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_random_calls_match_the_paper(kind):
    check_all(check, 1, kind)
