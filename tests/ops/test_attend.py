"""One attention: every path and every option against loops written from the paper, values and gradients."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import ops
from tests.backend import COMPILED, numpy, value_and_gradients
from tests.ops.test_floatx import FLOATX
from tests.reference.attend import attend as reference
from tests.reference.attend import gradient_along

# No two dimensions are equal; 23 rows make blocks of 8 with a ragged end.
B, T, S, N, K, H, V = 3, 23, 19, 4, 2, 8, 6
RNG = np.random.default_rng(0)
QUERY, KEY, VALUE = (
    RNG.standard_normal((B, T, N, H)),
    RNG.standard_normal((B, S, K, H)),
    RNG.standard_normal((B, S, K, V)),
)
MASK = RNG.random((B, N, T, S)) < 0.5
MASK[0, 1, 2] = False
KEYS, QUERIES = RNG.random((B, S)) < 0.6, RNG.random((B, T)) < 0.6
KEYS[1] = False


def bias(*shape):
    return np.random.default_rng(1).standard_normal(shape)


CASES = {
    "plain": {},
    "scale": {"scale": 1.7},
    "causal": {"causal": True},
    "offset": {"causal": True, "query_offset": 3},
    "negative-offset": {"causal": True, "query_offset": -5},
    "window": {"window": 4},
    "causal-window": {"causal": True, "window": 6, "query_offset": 2},
    "key-mask": {"key_mask": KEYS},
    "both-masks": {"key_mask": KEYS, "query_mask": QUERIES},
    "key-mask-causal": {"key_mask": KEYS, "causal": True},
    "key-mask-window": {"key_mask": KEYS, "causal": True, "window": 3},
    "mask": {"mask": MASK},
    "mask-2d-and-all": {"mask": MASK[0, 0], "key_mask": KEYS, "query_mask": QUERIES, "causal": True},
    "mask-3d-window": {"mask": MASK[:, 0], "window": 5},
    "mask-one-row": {"mask": MASK[:, :, :1]},
    "bias": {"bias": bias(B, N, T, S)},
    "bias-shared": {"bias": bias(1, 1, T, S), "causal": True},
    "bias-of-keys": {"bias": bias(B, 1, 1, S)},
    "bias-of-rows": {"bias": bias(1, N, T, 1)},
    "distance": {"bias": bias(1, N, T + S - 1)},
    "distance-causal": {"bias": bias(B, N, T + S - 1), "causal": True, "key_mask": KEYS},
    "distance-window": {"bias": bias(1, N, T + S - 1), "causal": True, "window": 5},
}
each_case = pytest.mark.parametrize("name", CASES)


def split(name):
    """The arrays to differentiate, and the options that stay."""
    options = dict(CASES[name])
    arrays = [QUERY, KEY, VALUE] + ([options.pop("bias")] if "bias" in options else [])
    return arrays, options


def call(function, options, **more):
    def run(query, key, value, bias=None):
        return function(query, key, value, bias=bias, **options, **more)

    return run


@functools.cache
def paper(name):
    """Context and probabilities of the loops."""
    arrays, options = split(name)
    return call(reference, options)(*arrays)


@each_case
def test_is_equation_1_of_the_paper(name):
    """In one block, and as the length tells; the test of the gradients has the values of blocks and of the whole."""
    arrays, options = split(name)
    for block_size in (40, None):
        actual = call(ops.attend, options, block_size=block_size)(*[a.astype("float32") for a in arrays])
        np.testing.assert_allclose(numpy(actual), paper(name)[0], atol=2e-5)


@each_case
def test_scores_are_those_of_the_same_context(name):
    arrays, options = split(name)
    arrays = [a.astype("float32") for a in arrays]
    context, scores = call(ops.attend, options, return_scores=True)(*arrays)
    expected, probs = paper(name)
    np.testing.assert_allclose(numpy(scores), probs, atol=1e-5)
    np.testing.assert_allclose(numpy(context), expected, atol=2e-5)


@each_case
def test_values_and_gradients_are_those_of_the_paper(name):
    arrays, options = split(name)
    rng = np.random.default_rng(3)
    cotangent, direction = rng.standard_normal((B, T, N, V)), [rng.standard_normal(a.shape) for a in arrays]
    oracle = call(lambda *a, **k: reference(*a, **k)[0], options)
    expected = gradient_along(oracle, arrays, direction, cotangent)
    for block_size in (0, 8):
        value, gradients = value_and_gradients(call(ops.attend, options, block_size=block_size), arrays, cotangent)
        np.testing.assert_allclose(value, paper(name)[0], atol=2e-5)
        actual = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
        np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-3)


# The options that change which operations run, all in two functions; compiling each of them would take minutes.
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("bias", {"key_mask": KEYS, "query_mask": QUERIES}),
        ("distance-causal", {"window": 6, "query_offset": 2, "dropout": 0.3, "seed": 7}),
    ],
    ids=["bias-and-masks", "distance-causal-window-dropout"],
)
@pytest.mark.parametrize("how", [how for how in COMPILED if how != "eager"])
def test_every_path_is_the_dense_one(name, more, how):
    arrays, options = split(name)
    options |= more
    cotangent = np.random.default_rng(3).standard_normal((B, T, N, V))
    expected, dense = value_and_gradients(call(ops.attend, options, block_size=0), arrays, cotangent)
    actual, blocks = value_and_gradients(call(ops.attend, options, block_size=8), arrays, cotangent, how)
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    for one, other in zip(blocks, dense, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("block_size", [0, 8], ids=["dense", "blocks"])
def test_dropout_drops_what_its_seed_says(block_size, causal):
    rate, seed = 0.3, np.array([5, 6], "int32")
    ones = np.zeros((B, T, N, H), "float32"), np.zeros((B, S, N, H), "float32")
    eye = np.broadcast_to(np.eye(S, dtype="float32")[None, :, None], (B, S, N, S))
    dropped = numpy(ops.attend(*ones, eye, causal=causal, dropout=rate, seed=seed, block_size=0))
    keep = dropped.transpose(0, 2, 1, 3) > 0  # the context of one-hot values is the probabilities themselves
    arrays = [QUERY, KEY, VALUE]
    expected, _ = reference(*arrays, causal=causal, keep=keep, rate=rate)
    options = {"causal": causal, "dropout": rate, "seed": seed}
    actual = ops.attend(*[a.astype("float32") for a in arrays], **options, block_size=block_size)
    np.testing.assert_allclose(numpy(actual), expected, atol=2e-5)
    scored, _ = ops.attend(*[a.astype("float32") for a in arrays], **options, return_scores=True)
    np.testing.assert_allclose(numpy(scored), expected, atol=2e-5)
    rng = np.random.default_rng(3)
    cotangent, direction = rng.standard_normal((B, T, N, V)), [rng.standard_normal(a.shape) for a in arrays]

    def run(query, key, value):
        return ops.attend(query, key, value, **options, block_size=block_size)

    _, gradients = value_and_gradients(run, arrays, cotangent)
    along = gradient_along(
        lambda *a: reference(*a, causal=causal, keep=keep, rate=rate)[0], arrays, direction, cotangent
    )
    actual = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
    np.testing.assert_allclose(actual, along, rtol=2e-4, atol=2e-3)


@pytest.mark.parametrize("block_size", [0, 8, None], ids=["dense", "blocks", "default"])
@pytest.mark.parametrize("filling", [np.nan, 1e30, -np.inf])
def test_what_stands_in_padding_changes_nothing(block_size, filling):
    def run(query, key, value):
        return ops.attend(query, key, value, query_mask=QUERIES, key_mask=KEYS, block_size=block_size)

    cotangent = np.random.default_rng(3).standard_normal((B, T, N, V))
    clean, clean_gradients = value_and_gradients(run, [QUERY, KEY, VALUE], cotangent)
    query, key, value = QUERY.copy(), KEY.copy(), VALUE.copy()
    query[~QUERIES], key[~KEYS], value[~KEYS] = filling, filling, filling
    dirty, dirty_gradients = value_and_gradients(run, [query, key, value], cotangent)
    np.testing.assert_array_equal(dirty, clean)
    for one, other in zip(dirty_gradients, clean_gradients, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (clean[~QUERIES] == 0).all() and (clean[1] == 0).all(), "a query that sees nothing gets zeros"


@pytest.mark.parametrize("dtype, atol", [("float16", 2e-3), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("block_size", [0, 8], ids=["dense", "blocks"])
def test_half_precision_survives_large_logits(dtype, atol, block_size):
    # q . k reaches 40 * 40 * 8 = 12,800 a head; times 8 of scale it would overflow float16.
    query, key, value = (keras.ops.cast(x, dtype) for x in (40 * np.sign(QUERY), 40 * np.sign(KEY), VALUE))
    actual = ops.attend(query, key, value, scale=8.0, causal=True, block_size=block_size)
    assert keras.backend.standardize_dtype(actual.dtype) == dtype
    exact = [numpy(keras.ops.cast(x, "float32")) for x in (query, key, value)]
    expected, _ = reference(*exact, scale=8.0, causal=True)
    np.testing.assert_allclose(numpy(keras.ops.cast(actual, "float32")), expected, atol=atol, rtol=1e-2)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"query": np.zeros((2, 3, 4))}, "`query` must have four axes"),
        ({"key": np.zeros((B, S, K, H + 1))}, "heads of the same size"),
        ({"value": np.zeros((B, S + 1, K, V))}, "same length"),
        ({"key": np.zeros((B, S, 3, H)), "value": np.zeros((B, S, 3, V))}, "must divide"),
        ({"mask": np.ones((T, S), "float32")}, "attention_bias"),
        ({"mask": np.ones((B, S), "bool")}, "attention_mask"),
        ({"key_mask": np.ones((B, T), "bool")}, "key_mask"),
        ({"query_mask": np.ones((B, S), "int32")}, "query_mask"),
        ({"bias": np.ones((B, T, S), "float32")}, "attention_bias"),
        ({"window": 0}, "window"),
        ({"dropout": 1.0, "seed": 1}, "dropout"),
        ({"dropout": 0.5}, "seed"),
        ({"key": np.zeros((B + 1, S, K, H))}, "`query`, `key` and `value` must have the same batch"),
        ({"value": np.zeros((B + 1, S, K, V))}, "same batch"),
        ({"bias": np.ones((1, 1, T, S), bool)}, "`attention_bias`.*must be a number"),
        ({"block_size": -1}, "block_size"),
        ({"block_size": 2.0}, "block_size"),
        ({"block_size": True}, "block_size"),
        ({"window": True}, "window"),
        ({"window": 2.5}, "window"),
        ({"scale": float("nan")}, "scale"),
        ({"scale": "big"}, "scale"),
        ({"scale": np.ones(2)}, "scale"),
        ({"causal": "yes"}, "causal"),
        ({"causal": 1}, "causal"),
        ({"return_scores": "no"}, "return_scores"),
        ({"dropout": "0.1", "seed": 1}, "dropout"),
        ({"dropout": float("nan"), "seed": 1}, "dropout"),
        ({"dropout": 0.5, "seed": 1.5}, "seed"),
        ({"dropout": 0.5, "seed": np.ones(2, "float32")}, "seed"),
        ({"query_offset": 1.5}, "query_offset"),
        ({"query_offset": None}, "query_offset"),
        ({"query_offset": np.array([1, 2])}, "query_offset"),
        ({"query_offset": np.array(1.0)}, "query_offset"),
    ],
)
def test_bad_arguments_are_named(changes, said):
    arguments = {"query": QUERY, "key": KEY, "value": VALUE, **changes}
    with pytest.raises(ValueError, match=said):
        ops.attend(**{k: a.astype("float32") if k in ("query", "key", "value") else a for k, a in arguments.items()})


LOWEST = float(np.finfo("float32").min)


@pytest.mark.parametrize("block_size", [0, 3], ids=["dense", "blocks"])
def test_hidden_is_hidden_whatever_the_bias(block_size):
    """All keys at the minimum, or at -inf: what a mask, padding, causality or a window hides stays hidden."""
    query, key, value = QUERY[:1, :5, :2], KEY[:1, :7, :1], VALUE[:1, :7, :1]
    cases = [
        ({"causal": True}, (1, 2, 5, 7)),
        ({"causal": True}, (1, 2, 11)),
        ({"causal": True, "query_offset": -2, "window": 2}, (1, 1, 1, 7)),
        ({"mask": np.tile(np.arange(7) % 3 > 0, (5, 1))}, (1, 2, 11)),
        ({"key_mask": np.arange(7)[None] % 3 > 0}, (1, 1, 5, 1)),
    ]
    for low in (LOWEST, -np.inf):
        for options, shape in cases:
            arrays = [query, key, value, np.full(shape, low)]
            expected, _ = call(reference, options)(*arrays)
            actual, gradients = value_and_gradients(
                call(ops.attend, options, block_size=block_size), arrays, np.ones((1, 5, 2, V))
            )
            np.testing.assert_allclose(actual, expected, atol=2e-5)
            assert all(np.isfinite(g).all() for g in gradients)
            if low == -np.inf:
                assert (actual == 0).all() and all((g == 0).all() for g in gradients)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX itself makes float32 of float64 arrays")
def test_a_bias_of_float64_stays_finite_beside_inputs_of_float32():
    arrays = [a.astype("float32") for a in (QUERY, KEY, VALUE)]
    bias = np.full((1, 1, T, S), np.finfo("float64").min)
    expected, _ = reference(*arrays, bias=bias)
    np.testing.assert_allclose(numpy(ops.attend(*arrays, bias=bias)), expected, atol=2e-5)


@pytest.mark.parametrize("floatx", FLOATX)
def test_the_global_dtype_changes_nothing(floatx):
    arrays = [a.astype("float32") for a in (QUERY, KEY, VALUE)]
    given = {"causal": True, "mask": MASK, "key_mask": KEYS, "query_offset": np.int64(2)}
    expected, _ = reference(*arrays, **given)
    alone, _ = reference(*arrays, key_mask=KEYS, causal=True)
    keras.config.set_floatx(floatx)
    try:
        for options, wanted in ((given, expected), ({"key_mask": KEYS, "causal": True}, alone)):
            for block_size in (0, 40):
                context = numpy(ops.attend(*arrays, **options, block_size=block_size))
                np.testing.assert_allclose(context, wanted, atol=2e-5)
    finally:
        keras.config.set_floatx("float32")
