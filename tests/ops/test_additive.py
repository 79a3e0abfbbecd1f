"""Additive attention against NumPy loops: every path, gradients, and memory."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import ops
from tests.backend import BACKEND, COMPILED, DEFAULT, numpy, value_and_gradients
from tests.reference import memory_attention as reference
from tests.reference.attend import gradient_along

B, T, S, U, V = 2, 5, 7, 3, 4


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


QUERY, KEY, VALUE, VECTOR = random(B, T, U), random(B, S, U, seed=1), random(B, S, V, seed=2), random(U, seed=3)
CENTER = (np.random.default_rng(4).random((B, T)) * S).astype("float32")


def masks():
    rng = np.random.default_rng(5)
    mask = rng.random((B, T, S)) < 0.7
    mask[0, 1] = False
    return {"mask": mask, "query_mask": rng.random((B, T)) < 0.8, "key_mask": rng.random((B, S)) < 0.8}


WINDOWS = {
    "all": ({}, {}),
    "window": ({"half_width": 2.2, "gaussian": False}, {"half_width": 2.2}),
    "gaussian": ({"half_width": 2.2}, {"half_width": 2.2, "gaussian": "after"}),
    "renormalized": ({"half_width": 2.2, "renormalize": True}, {"half_width": 2.2, "gaussian": "before"}),
}


def oracle(query, key, value, vector, center, given, window):
    centered = {"center": center, **window} if window else {}
    weights = reference.soft(reference.additive(query, key, vector), **given, **centered)
    return reference.context(weights, value), weights


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("given", [{}, masks()], ids=["plain", "masks"])
def test_matches_the_equation(window, given):
    ours, theirs = WINDOWS[window]
    center = {"center": CENTER} if ours else {}
    context, weights = oracle(QUERY, KEY, VALUE, VECTOR, CENTER, given, theirs)
    given = {**given, **ours, **center}

    def run(*arrays):
        ways = [{"block_size": size} for size in (0, 2, 9, None)] + [{"block_size": 2, "device": "gpu"}]
        contexts = [ops.additive_attend(*arrays, **way, **given) for way in ways]
        return *contexts, *ops.additive_attend(*arrays, return_scores=True, **given)

    if BACKEND == "jax":  # it would compile each operation for itself
        import jax

        run = jax.jit(run)
    *contexts, scores = run(QUERY, KEY, VALUE, VECTOR)
    for got in contexts:
        np.testing.assert_allclose(numpy(got), context, atol=1e-5)
    np.testing.assert_allclose(numpy(scores), weights, atol=1e-5)


@functools.cache
def slopes(window):
    """Context, and directional derivatives of the loops in float64, one for each argument alone."""
    ours, theirs = WINDOWS[window]
    arrays, cotangent = [QUERY, KEY, VALUE, VECTOR, CENTER][: 5 if ours else 4], random(B, T, V, seed=6)

    def loops(*tensors):
        query, key, value, vector, *center = tensors
        return oracle(query, key, value, vector, center[0] if center else None, masks(), theirs)[0]

    directions = [[random(*a.shape, seed=7) * (i == j) for j, a in enumerate(arrays)] for i in range(len(arrays))]
    return loops(*arrays), [(d[i], gradient_along(loops, arrays, d, cotangent)) for i, d in enumerate(directions)]


# Of the blockwise path, the Gaussian after the softmax is compiled and the one before it runs with unknown sizes;
# tests/ops/test_windowed.py has the other two, in the same code. The tests of the layers compile the dense path.
KINDS = ("all", "gaussian", "renormalized")
GRADIENTS = [
    *[(DEFAULT, window, 2) for window in KINDS],
    *[(how, w, 2) for how, w in (("xla", "gaussian"), ("dynamic", "renormalized")) if how in set(COMPILED) - {DEFAULT}],
    *[(DEFAULT, window, path) for window, path in (("all", "scores"), ("gaussian", 0), ("renormalized", "scores"))],
    *[(DEFAULT, window, "gpu") for window in ("all", "gaussian")],
]


@pytest.mark.parametrize(("how", "window", "path"), GRADIENTS)
def test_gradients_match_the_equation(how, window, path):
    ours, _ = WINDOWS[window]
    given, cotangent = masks(), random(B, T, V, seed=6)
    arrays = [QUERY, KEY, VALUE, VECTOR, CENTER][: 5 if ours else 4]
    # In a graph of unknown dimensions the vector and the center are constants.
    differentiated = arrays[:3] if how == "dynamic" else arrays

    def run(*tensors):
        query, key, value, vector, *center = [*tensors, *arrays[len(tensors) :]]
        window = {**ours, "center": center[0]} if ours else {}
        choices = {"scores": {"return_scores": True}, "gpu": {"block_size": 2, "device": "gpu"}}
        choice = choices.get(path, {"block_size": path})
        result = ops.additive_attend(query, key, value, vector, **given, **window, **choice)
        return result[0] if path == "scores" else result

    value, gradients = value_and_gradients(run, differentiated, cotangent, how)

    expected, slope = slopes(window)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    for gradient, (direction, along) in zip(gradients, slope):
        np.testing.assert_allclose(np.sum(gradient * direction), along, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("block_size", [0, 2, None])
def test_logits_with_coverage_match_the_equation(block_size):
    covered, weight, cotangent = np.abs(random(B, S, seed=8)), random(U, seed=9), random(B, T, S, seed=10)
    arrays = [QUERY, KEY, VECTOR, covered, weight]

    def run(query, key, vector, covered, weight):
        return ops.additive_logits(query, key, vector, coverage=covered, coverage_vector=weight, block_size=block_size)

    value, gradients = value_and_gradients(run, arrays, cotangent)
    np.testing.assert_allclose(value, reference.additive(*arrays), atol=1e-5)
    for i, gradient in enumerate(gradients):
        direction = [random(*a.shape, seed=7) * (i == j) for j, a in enumerate(arrays)]
        expected = gradient_along(reference.additive, arrays, direction, cotangent)
        np.testing.assert_allclose(np.sum(gradient * direction[i]), expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("block_size", [0, 2])
def test_padding_does_not_leak_into_values_or_gradients(block_size):
    given = masks()

    def run(fill):
        query = np.where(given["query_mask"][..., None], QUERY, fill)
        key = np.where(given["key_mask"][..., None], KEY, fill)
        value = np.where(given["key_mask"][..., None], VALUE, fill)
        attend = lambda q, k, v: ops.additive_attend(q, k, v, VECTOR, block_size=block_size, **given)  # noqa: E731
        return value_and_gradients(attend, [query, key, value], random(B, T, V, seed=6))

    (value, gradients), (garbage, of_garbage) = run(0.5), run(np.nan)
    for a, b in zip([value, *gradients], [garbage, *of_garbage], strict=True):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("block_size", [0, 2])
def test_half_precision_is_computed_in_float32(dtype, block_size):
    tensors = [keras.ops.cast(x, dtype) for x in (QUERY, KEY, VALUE, VECTOR)]
    got = ops.additive_attend(*tensors, block_size=block_size)
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    exact = ops.additive_attend(*[keras.ops.cast(x, "float32") for x in tensors])
    np.testing.assert_allclose(numpy(keras.ops.cast(got, "float32")), numpy(exact), rtol=0.01, atol=1e-3)


def test_float_mask_is_refused():
    with pytest.raises(ValueError, match="attention_mask"):
        ops.additive_attend(QUERY, KEY, VALUE, VECTOR, mask=np.zeros((T, S), "float32"))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="lists the tensors of a TensorFlow graph")
def test_neither_hidden_layer_nor_logits_are_held_whole():
    import tensorflow as tf

    T, S, U = 48, 40, 8
    arrays = [tf.constant(random(2, n, U)) for n in (T, S, S)]

    def largest(block_size):
        def run(query, key, value):
            with tf.GradientTape() as tape:
                tape.watch((query, key, value))
                context = ops.additive_attend(query, key, value, tf.ones(U), block_size=block_size)
            return tape.gradient(context, (query, key, value))

        graph = tf.function(run, autograph=False).get_concrete_function(*arrays).graph
        graphs = [graph, *(graph._get_function(n).graph for n in graph._functions)]
        tensors = [t for g in graphs for o in g.get_operations() for t in o.outputs if t.shape.is_fully_defined()]
        return max(int(np.prod(t.shape)) for t in tensors)

    assert largest(0) >= 2 * T * S * U, "the measure sees the whole hidden layer"
    assert largest(2) <= 2 * T * U < T * S
