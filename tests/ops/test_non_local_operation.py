"""The four pairwise functions against NumPy loops: every path, gradients, and memory."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.ops.non_local_operation import PAIRWISE, _Concatenation, _DotProduct, seen_keys
from keras_attention.ops.paths.plan import DENSE_BELOW
from tests.backend import BACKEND, COMPILED, DEFAULT, numpy, value_and_gradients
from tests.reference import non_local as reference
from tests.reference.attend import gradient_along

B, T, S, H, V = 2, 5, 7, 3, 4


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


FUNCTIONS = ("gaussian", "dot_product", "concatenation")  # the two Gaussians are one function here
QUERY, KEY, VALUE, VECTOR = random(B, T, H), random(B, S, H, seed=1), random(B, S, V, seed=2), random(2 * H, seed=3)


@functools.cache
def masks():
    rng = np.random.default_rng(5)
    query_mask, key_mask = rng.random((B, T)) < 0.7, rng.random((B, S)) < 0.7
    assert not query_mask.all() and not key_mask.all()
    return {"query_mask": query_mask, "key_mask": key_mask}


def oracle(query, key, value, vector, pairwise, scale=1.0, query_mask=None, key_mask=None):
    def sees(b):
        return lambda i, j: (query_mask is None or query_mask[b, i]) and (key_mask is None or key_mask[b, j])

    entries = [reference.operation(*x, pairwise, vector, scale, sees(b)) for b, x in enumerate(zip(query, key, value))]
    return tuple(np.stack(x) for x in zip(*entries))


def extra(pairwise, vector=VECTOR):
    return {"vector": vector} if pairwise == "concatenation" else {}


@pytest.mark.parametrize("given", [{}, masks()], ids=["plain", "masks"])
@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_matches_the_equation(pairwise, given):
    context, scores = oracle(QUERY, KEY, VALUE, VECTOR, pairwise, **given)
    for block_size in (0, 2, None):
        call = {**given, **extra(pairwise), "block_size": block_size}
        np.testing.assert_allclose(numpy(ops.non_local(QUERY, KEY, VALUE, pairwise, **call)), context, atol=1e-5)
        got = ops.non_local(QUERY, KEY, VALUE, pairwise, return_scores=True, **call)
        np.testing.assert_allclose(numpy(got[0]), context, atol=1e-5)
        np.testing.assert_allclose(numpy(got[1]), scores, atol=1e-5)


@pytest.mark.parametrize(("scale", "factor"), [(0.7, 0.7), (None, H**-0.5)])
def test_softmax_is_scaled(scale, factor):
    context, _ = oracle(QUERY, KEY, VALUE, VECTOR, "gaussian", factor)
    np.testing.assert_allclose(numpy(ops.non_local(QUERY, KEY, VALUE, "gaussian", scale=scale)), context, atol=1e-5)


@functools.cache
def slopes(pairwise):
    """Context, and directional derivatives of the loops in float64, one for each argument alone."""
    cotangent, arrays = random(B, T, V, seed=6), [QUERY, KEY, VALUE, VECTOR]

    def loops(*arrays):
        return oracle(*arrays, pairwise, **masks())[0]

    directions = [[random(*a.shape, seed=7) * (i == j) for j, a in enumerate(arrays)] for i in range(4)]
    return loops(*arrays), [(d[i], gradient_along(loops, arrays, d, cotangent)) for i, d in enumerate(directions)]


# The Gaussian in blocks is compiled in tests/ops/test_windowed.py, by the same code.
GRAPHS = [
    (pairwise, 2, how) for pairwise in FUNCTIONS for how in ("dynamic", "xla") if (pairwise, how) != ("gaussian", "xla")
]
GRAPHS += [("gaussian", None, "dynamic"), ("concatenation", "scores", "dynamic")]
GRADIENTS = [
    *[(pairwise, path, DEFAULT) for pairwise in FUNCTIONS for path in (2, 0, "scores")],
    *[graph for graph in GRAPHS if graph[-1] in set(COMPILED) - {DEFAULT}],
    ("embedded_gaussian", 2, DEFAULT),
]


@pytest.mark.parametrize(("pairwise", "path", "how"), GRADIENTS)
def test_gradients_match_the_equation(pairwise, path, how):
    given, cotangent = masks(), random(B, T, V, seed=6)
    arrays = [QUERY, KEY, VALUE, VECTOR][: 4 if pairwise == "concatenation" else 3]
    # In a graph of unknown dimensions the vector is a constant.
    differentiated = arrays[:3] if how == "dynamic" else arrays

    def run(*tensors):
        query, key, value, *vector = [*tensors, *arrays[len(tensors) :]]
        choice = {"return_scores": True} if path == "scores" else {"block_size": path}
        result = ops.non_local(query, key, value, pairwise, **extra(pairwise, *vector), **given, **choice)
        return result[0] if path == "scores" else result

    value, gradients = value_and_gradients(run, differentiated, cotangent, how)

    expected, slope = slopes(pairwise)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    for gradient, (direction, along) in zip(gradients, slope):
        np.testing.assert_allclose(np.sum(gradient * direction), along, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("block_size", [0, 2])
@pytest.mark.parametrize("pairwise", FUNCTIONS)
def test_padding_does_not_leak_into_values_or_gradients(pairwise, block_size):
    given = masks()

    def run(fill):
        query = np.where(given["query_mask"][..., None], QUERY, fill)
        key, value = (np.where(given["key_mask"][..., None], x, fill) for x in (KEY, VALUE))
        look = lambda q, k, v: ops.non_local(  # noqa: E731
            q, k, v, pairwise, block_size=block_size, **extra(pairwise), **given
        )
        return value_and_gradients(look, [query, key, value], random(B, T, V, seed=6))

    (value, gradients), (garbage, of_garbage) = run(0.5), run(np.nan)
    for a, b in zip([value, *gradients], [garbage, *of_garbage], strict=True):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_query_without_keys_gets_zeros(pairwise):
    key_mask = np.ones((B, S), bool)
    key_mask[1] = False
    for choice in ({"block_size": 0}, {"block_size": 2}, {"return_scores": True}):
        got = ops.non_local(QUERY, KEY, VALUE, pairwise, key_mask=key_mask, **extra(pairwise), **choice)
        for x in got if "return_scores" in choice else (got,):
            assert not numpy(x)[1].any() and numpy(x)[0].any()


def test_concatenation_equals_explicitly_concatenated_pairs():
    """Equation 5: w . [theta, phi] over all pairs is the sum of a term per query and one per key."""
    pairs = np.concatenate(
        [np.broadcast_to(QUERY[:, :, None], (B, T, S, H)), np.broadcast_to(KEY[:, None], (B, T, S, H))], axis=-1
    )
    scores = np.maximum(pairs @ VECTOR, 0) / S
    got = ops.non_local(QUERY, KEY, VALUE, "concatenation", vector=VECTOR, return_scores=True)
    np.testing.assert_allclose(numpy(got[1]), scores, atol=1e-6)
    np.testing.assert_allclose(numpy(got[0]), scores @ VALUE, atol=1e-5)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_cumulative_sums_of_concatenation_are_as_exact_as_all_pairs(device):
    """For large terms of opposite sign, which cancel."""
    query, key, value = random(2, 400, 1) + 1000, random(2, 600, 1, seed=1) - 1000, random(2, 600, 3, seed=2)
    given = {"vector": np.ones(2, "float32")}
    scores = np.maximum(query.astype("f8") + np.swapaxes(key, 1, 2), 0) / 600
    got = ops.non_local(query, key, value, "concatenation", block_size=1, device=device, **given)
    np.testing.assert_allclose(numpy(got), scores @ value, atol=1e-5)


def test_seen_keys_are_counted_by_sorting():
    query, key = random(3, 40), random(3, 60, seed=1)
    expected = (query[:, :, None] + key[:, None, :] > 0).sum(-1)
    np.testing.assert_array_equal(numpy(seen_keys(*map(keras.ops.convert_to_tensor, (query, key)))), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("block_size", [0, 2])
@pytest.mark.parametrize("pairwise", FUNCTIONS)
def test_half_precision_is_computed_in_float32(pairwise, block_size, dtype):
    tensors = [keras.ops.cast(x, dtype) for x in (QUERY, KEY, VALUE)]
    vector = extra(pairwise, keras.ops.cast(VECTOR, dtype))
    got = ops.non_local(*tensors, pairwise, block_size=block_size, **vector)
    assert keras.backend.standardize_dtype(got.dtype) == dtype
    exact = ops.non_local(
        *[keras.ops.cast(x, "float32") for x in tensors],
        pairwise,
        **{name: keras.ops.cast(x, "float32") for name, x in vector.items()},
    )
    np.testing.assert_allclose(numpy(keras.ops.cast(got, "float32")), numpy(exact), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize(
    ("match", "pairwise", "given"),
    [
        ("`pairwise`", "cosine", {}),
        ("`vector`", "concatenation", {}),
        ("`vector`", "concatenation", {"vector": VECTOR[:H]}),
        ("`vector`", "dot_product", {"vector": VECTOR}),
        ("key_mask", "dot_product", {"key_mask": np.ones((B, S), "float32")}),
    ],
)
def test_wrong_arguments_are_refused_by_name(match, pairwise, given):
    with pytest.raises(ValueError, match=match):
        ops.non_local(QUERY, KEY, VALUE, pairwise, **given)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere sizes are known when the path is chosen")
@pytest.mark.parametrize("T", [46_341, 65_536])
@pytest.mark.parametrize(("kind", "H"), [(_DotProduct, 5), (_Concatenation, 1)])
def test_long_inputs_take_the_linear_path_where_int32_overflows(kind, H, T):
    import tensorflow as tf

    spec = [tf.TensorSpec((2, None, size)) for size in (H, H, 7)]
    is_small = tf.function(lambda *x: kind(*x, None).is_small("cpu"), input_signature=spec)
    assert not is_small(*(tf.zeros((2, T, size)) for size in (H, H, 7)))
    assert is_small(*(tf.zeros((2, 3, size)) for size in (H, H, 7)))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="lists the tensors of a TensorFlow graph")
@pytest.mark.parametrize("pairwise", FUNCTIONS)
def test_all_pairs_are_never_held(pairwise):
    import tensorflow as tf

    T, S, H = 96, 80, 6
    arrays = [tf.constant(random(2, n, H)) for n in (T, S, S)]

    def largest(block_size, arrays):
        def run(query, key, value):
            with tf.GradientTape() as tape:
                tape.watch((query, key, value))
                given = extra(pairwise, tf.ones(2 * H))
                context = ops.non_local(query, key, value, pairwise, block_size=block_size, **given)
            return tape.gradient(context, (query, key, value))

        graph = tf.function(run, autograph=False).get_concrete_function(*arrays).graph
        graphs = [graph, *(graph._get_function(n).graph for n in graph._functions)]
        tensors = [t for g in graphs for o in g.get_operations() for t in o.outputs if t.shape.is_fully_defined()]
        return max(int(np.prod(t.shape)) for t in tensors)

    assert largest(0, arrays) >= 2 * T * S, "the measure sees all pairs"
    assert largest(4, arrays) <= 2 * (T + S) * 2 * H < T * S
    many = [tf.zeros((1, n, H)) for n in (1100, 1000, 1000)]
    assert largest(0, many) >= 1_100_000 > DENSE_BELOW, "by default, too"
    assert largest(None, many) < 1_100_000 / 2
