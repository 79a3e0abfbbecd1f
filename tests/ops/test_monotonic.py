"""Monotonic alignments against loops over all keys."""

import numpy as np
import pytest

from keras_attention import ops
from tests.backend import COMPILED, numpy, value_and_gradients
from tests.reference.attend import gradient_along
from tests.reference.memory_attention import monotonic

CHOOSE = np.random.default_rng(0).uniform(0.1, 0.9, (3, 7)).astype("float32")
PREVIOUS = np.random.default_rng(1).dirichlet(np.ones(7), 3).astype("float32")


def loops(choose, previous):
    return np.stack([monotonic(p[None], a)[0] for p, a in zip(choose, previous, strict=True)])


@pytest.mark.parametrize("mode", ["recursive", "parallel"])
@pytest.mark.parametrize("how", COMPILED)
def test_values_and_gradients_match_the_equation(mode, how):
    cotangent = np.random.default_rng(2).standard_normal((3, 7)).astype("float32")

    def run(choose, previous):
        return ops.monotonic_alignment(choose, previous, mode)

    value, gradients = value_and_gradients(run, [CHOOSE, PREVIOUS], cotangent, how)
    np.testing.assert_allclose(value, loops(CHOOSE, PREVIOUS), atol=1e-5)
    for i, gradient in enumerate(gradients):
        direction = [np.random.default_rng(3).standard_normal((3, 7)) * (i == j) for j in range(2)]
        expected = gradient_along(loops, [CHOOSE, PREVIOUS], direction, cotangent)
        np.testing.assert_allclose(np.sum(gradient * direction[i]), expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("mode", ["recursive", "hard"])
def test_hard_attention_stops_at_the_first_chosen_key_from_the_last_one_on(mode):
    choose = np.array([[1, 0, 0, 1, 1], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]], "float32")
    previous = np.eye(5, dtype="float32")[[1, 2, 2]]
    got = numpy(ops.monotonic_alignment(choose, previous, mode))
    np.testing.assert_allclose(got, [[0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(loops(choose, previous), got, atol=1e-6)


@pytest.mark.parametrize("mode", ["recursive", "parallel"])
def test_probabilities_of_zero_and_one_have_finite_gradients(mode):
    choose = np.array([[0, 1, 0.5, 1, 0]], "float32")
    _, gradients = value_and_gradients(
        lambda p, a: ops.monotonic_alignment(p, a, mode), [choose, np.full((1, 5), 0.2)], np.ones((1, 5), "float32")
    )
    assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("mode", (CHOOSE, PREVIOUS, "paralel")),
        ("choose", (CHOOSE[0], PREVIOUS)),
        ("previous", (CHOOSE, PREVIOUS[..., None])),
        ("previous", (CHOOSE, PREVIOUS[:, :5])),
    ],
)
def test_wrong_arguments_are_refused_by_name(argument, call):
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: "):
        ops.monotonic_alignment(*call)
