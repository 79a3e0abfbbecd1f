"""Spectral norm by power iteration, against loops, singular values and closed forms."""

import keras
import numpy as np
import pytest

from keras_attention.ops import spectral_norm
from tests.backend import COMPILED, numpy, value_and_gradients
from tests.reference import spectral as reference


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("iterations", [1, 2, 7])
def test_matches_algorithm_1(iterations):
    matrix, u = noise(5, 7), noise(7, seed=1)
    sigma, after = spectral_norm(matrix, u, iterations)
    expected = reference.spectral_norm(matrix, u, iterations)
    np.testing.assert_allclose(numpy(sigma), expected[0], rtol=1e-5)
    np.testing.assert_allclose(numpy(after), expected[1], atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (6, 1), (1, 6)])
def test_converges_from_below_to_the_largest_singular_value(shape):
    matrix, u, before = noise(*shape), noise(shape[1], seed=1), 0.0
    largest = np.linalg.svd(matrix.astype("f8"))[1][0]
    for _ in range(60):
        sigma, u = spectral_norm(matrix, u)
        assert before <= float(sigma) * (1 + 1e-5) and float(sigma) <= largest * (1 + 1e-5)
        before = float(sigma)
    np.testing.assert_allclose(before, largest, rtol=1e-4)


def test_iterations_equal_repeated_calls():
    matrix, u = noise(5, 7), noise(7, seed=1)
    at_once = spectral_norm(matrix, u, 4)
    for _ in range(4):
        sigma, u = spectral_norm(matrix, u)
    np.testing.assert_allclose(numpy(sigma), numpy(at_once[0]), rtol=1e-6)
    np.testing.assert_allclose(numpy(u), numpy(at_once[1]), atol=1e-6)


@pytest.mark.parametrize("how", COMPILED[:2])
def test_no_gradient_flows_through_u_and_v(how):
    matrix, u = noise(5, 7), noise(7, seed=1)
    sigma, [gradient] = value_and_gradients(lambda m: spectral_norm(m, u)[0], [matrix], np.float32(1), how)
    v = matrix @ u / np.linalg.norm(matrix @ u)
    _, after = reference.spectral_norm(matrix, u)
    np.testing.assert_allclose(gradient, np.outer(v, after), atol=1e-5)
    np.testing.assert_allclose(np.sum(gradient * matrix), sigma, rtol=1e-5)


def test_norm_of_u_has_no_effect():
    matrix, u = noise(5, 7), noise(7, seed=1)
    for a, b in zip(spectral_norm(matrix, u), spectral_norm(matrix, 100 * u), strict=True):
        np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-5)


def test_zero_matrix_leaves_u_unchanged():
    u = noise(7)
    sigma, after = spectral_norm(np.zeros((5, 7), "float32"), u)
    assert float(sigma) == 0
    np.testing.assert_array_equal(numpy(after), u)


def test_half_precision_is_computed_in_float32():
    matrix, u = keras.ops.cast(noise(50, 70), "float16"), noise(70, seed=1)
    sigma, after = spectral_norm(matrix, u)
    assert keras.backend.standardize_dtype(sigma.dtype) == keras.backend.standardize_dtype(after.dtype) == "float32"
    np.testing.assert_allclose(numpy(sigma), reference.spectral_norm(numpy(matrix), u)[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("matrix", {"matrix": np.ones((2, 3, 4), "float32")}),
        ("u", {"u": np.ones(4, "float32")}),
        ("u", {"u": np.ones((3, 1), "float32")}),
        ("iterations", {"iterations": 0}),
        ("epsilon", {"epsilon": float("nan")}),
    ],
)
def test_wrong_arguments_are_refused_by_name(argument, given):
    call = {"matrix": np.ones((2, 3), "float32"), "u": np.ones(3, "float32"), **given}
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: "):
        spectral_norm(**call)
