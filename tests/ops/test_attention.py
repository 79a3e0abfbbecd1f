"""`attend` against loops written from the paper: every path and option, values and gradients."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import ops
from tests.backend import BACKEND, COMPILED, numpy, value_and_gradients
from tests.ops.test_floatx import FLOATX
from tests.reference.attend import attend as reference
from tests.reference.attend import gradient_along
from tests.reference.attend import gradients as reference_gradients
from tests.variants import variants

# 13 rows give blocks of 5 with a ragged end. Eager tests run batch times key/value heads times blocks.
B, T, S, N, K, H, V = 2, 13, 11, 4, 2, 8, 6
BLOCK = 5
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
    "cap-key-mask": {"logit_cap": 0.7, "key_mask": KEYS},
    "sinks": {"sinks": bias(N)},
    "cap-sinks-causal": {"logit_cap": 0.7, "sinks": bias(N), "causal": True},
    "cap-sinks-mask-bias": {"logit_cap": 0.7, "sinks": bias(N), "bias": bias(B, 1, T, S), "mask": MASK},
    "sinks-distance-window": {"sinks": bias(N), "bias": bias(1, N, T + S - 1), "causal": True, "window": 5},
}
each_case = pytest.mark.parametrize("name", CASES)


def split(name):
    """The arrays to differentiate, and the options that stay."""
    options = dict(CASES[name])
    arrays = [QUERY, KEY, VALUE] + [options.pop(argument) for argument in added(name)]
    return arrays, options


def added(name):
    """Of the bias and the sinks, those of the case."""
    return [argument for argument in ("bias", "sinks") if argument in CASES[name]]


def call(function, options, arguments=("bias",), **more):
    def run(query, key, value, *given):
        return function(query, key, value, **dict(zip(arguments, given)), **options, **more)

    return run


# Cases in which every option of a tile occurs. JAX compiles each: there, these only are blockwise.
EVERY_OPTION = ("causal-window", "key-mask-window", "mask-2d-and-all", "mask-3d-window", "mask-one-row", "bias-shared")
EVERY_OPTION += ("bias-of-rows", "distance-causal", "distance-window", "cap-sinks-causal", "cap-sinks-mask-bias")
BLOCKED = EVERY_OPTION if BACKEND == "jax" else tuple(CASES)


@functools.cache
def paper(name):
    """Context and probabilities of the loops."""
    arrays, options = split(name)
    return call(reference, options, added(name))(*arrays)


@each_case
def test_context_and_scores_match_equation_1(name):
    """With the default path and with scores; the test of the gradients takes the blockwise and the dense path."""
    arrays, options = split(name)

    def run(*arrays):
        attend = call(ops.attend, options, added(name))
        return attend(*arrays), *call(ops.attend, options, added(name), return_scores=True)(*arrays)

    if BACKEND == "jax":  # it would compile each operation for itself
        import jax

        run = jax.jit(run)
    context, beside, scores = map(numpy, run(*[a.astype("float32") for a in arrays]))
    expected, probs = paper(name)
    np.testing.assert_allclose(context, expected, atol=2e-5)
    np.testing.assert_allclose(beside, expected, atol=2e-5)
    np.testing.assert_allclose(scores, probs, atol=1e-5)


@pytest.mark.parametrize("name", variants(CASES.keys(), *EVERY_OPTION))
def test_dense_and_blockwise_values_and_gradients_match_the_paper(name):
    arrays, options = split(name)
    cotangent = np.random.default_rng(3).standard_normal((B, T, N, V))
    context, probs = paper(name)
    given = dict(zip(("query", "key", "value", *added(name)), arrays))
    of_loops = {argument: given.get(argument) for argument in ("query", "key", "value", "bias")}
    of_loops |= {argument: options.get(argument) for argument in ("scale", "logit_cap")}
    expected = reference_gradients(**of_loops, probs=probs, cotangent=cotangent)
    for block_size, device in ((0, None), *(((BLOCK, "cpu"), (BLOCK, "gpu")) if name in BLOCKED else ())):
        how = {"block_size": block_size, "device": device}
        value, gradients = value_and_gradients(call(ops.attend, options, added(name), **how), arrays, cotangent)
        np.testing.assert_allclose(value, context, atol=2e-5)
        for argument, gradient in zip(given, gradients, strict=True):
            np.testing.assert_allclose(gradient, expected[argument], rtol=1e-4, atol=1e-4, err_msg=argument)


# The options that change which operations run, all in two functions: compiling each would take minutes.
MANY = ("distance-causal", {"window": 6, "query_offset": 2, "dropout": 0.3, "seed": 7})


@pytest.mark.parametrize(
    ("how", "name", "more"),
    [("xla", *MANY), ("dynamic", *MANY), ("dynamic", "bias", {"mask": MASK, "key_mask": KEYS, "query_mask": QUERIES})],
    ids=["xla-distance-and-all", "dynamic-distance-and-all", "dynamic-bias-and-masks"],
)
def test_compiled_blockwise_matches_dense(name, more, how):
    if how not in COMPILED:
        pytest.skip(f"{BACKEND} has no such path")
    arrays, options = split(name)
    options |= more
    cotangent = np.random.default_rng(3).standard_normal((B, T, N, V))
    expected, dense = value_and_gradients(call(ops.attend, options, block_size=0), arrays, cotangent)
    actual, blocks = value_and_gradients(call(ops.attend, options, block_size=BLOCK), arrays, cotangent, how)
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    for one, other in zip(blocks, dense, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-5)


@pytest.mark.parametrize(("block_size", "causal"), [(0, False), (BLOCK, True)], ids=["dense", "blocks-causal"])
def test_dropout_depends_on_the_seed_only(block_size, causal):
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


@pytest.mark.parametrize("block_size", [0, BLOCK, None], ids=["dense", "blocks", "default"])
def test_padding_values_have_no_effect(block_size):
    def run(query, key, value):
        return ops.attend(query, key, value, query_mask=QUERIES, key_mask=KEYS, block_size=block_size)

    def dirty(x, mask):
        return np.where(mask[..., None, None], x, RNG.choice([np.nan, 1e30, -np.inf], x.shape))

    cotangent = np.random.default_rng(3).standard_normal((B, T, N, V))
    clean, clean_gradients = value_and_gradients(run, [QUERY, KEY, VALUE], cotangent)
    garbage = [dirty(QUERY, QUERIES), dirty(KEY, KEYS), dirty(VALUE, KEYS)]
    found, gradients = value_and_gradients(run, garbage, cotangent)
    np.testing.assert_array_equal(found, clean)
    for one, other in zip(gradients, clean_gradients, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (clean[~QUERIES] == 0).all() and (clean[1] == 0).all(), "a query that sees no key gets zeros"


@pytest.mark.parametrize(
    "options", [{}, {"causal": True}, {"window": 2}, {"causal": True, "query_offset": -3}], ids=str
)
def test_one_mask_for_queries_and_keys_is_the_same_as_two(options):
    mask = keras.ops.convert_to_tensor(np.append(QUERIES, np.zeros((1, T), "bool"), 0))
    x = keras.random.normal((B + 1, T, N, H), seed=0)
    for block_size in (0, BLOCK):
        one = ops.attend(x, x, x, query_mask=mask, key_mask=mask, block_size=block_size, **options)
        two = ops.attend(x, x, x, query_mask=mask, key_mask=mask & mask, block_size=block_size, **options)
        np.testing.assert_allclose(numpy(one), numpy(two), atol=1e-6)


@pytest.mark.parametrize("dtype, atol", [("float16", 2e-3), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("block_size", [0, BLOCK], ids=["dense", "blocks"])
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
        ({"training": None}, "training"),
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
@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"causal": True}, (2, 2, 5, 7)),
        ({"causal": True}, (2, 2, 11)),
        ({"causal": True, "query_offset": -2, "window": 2}, (2, 1, 1, 7)),
        ({"mask": np.tile(np.arange(7) % 3 > 0, (5, 1))}, (2, 2, 11)),
        ({"key_mask": np.tile(np.arange(7) % 3 > 0, (2, 1))}, (2, 1, 5, 1)),
    ],
    ids=["causal", "causal-by-distance", "window", "mask", "key-mask"],
)
def test_masks_hide_keys_whatever_the_bias(options, shape, block_size):
    """With a bias of the float minimum or -inf everywhere, masked keys stay hidden."""
    low = np.broadcast_to(np.reshape([LOWEST, -np.inf], (2, *[1] * (len(shape) - 1))), shape)
    arrays = [QUERY[:2, :5, :2], KEY[:2, :7, :1], VALUE[:2, :7, :1], low]
    expected, _ = call(reference, options)(*arrays)
    run = call(ops.attend, options, block_size=block_size)
    actual, gradients = value_and_gradients(run, arrays, np.ones((2, 5, 2, V)))
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    assert all(np.isfinite(g).all() for g in gradients)
    assert (actual[1] == 0).all() and all((g[1] == 0).all() for g in gradients)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX itself makes float32 of float64 arrays")
def test_float64_bias_stays_finite_with_float32_inputs():
    arrays = [a.astype("float32") for a in (QUERY, KEY, VALUE)]
    bias = np.full((1, 1, T, S), np.finfo("float64").min)
    expected, _ = reference(*arrays, bias=bias)
    np.testing.assert_allclose(numpy(ops.attend(*arrays, bias=bias)), expected, atol=2e-5)


@pytest.mark.parametrize("floatx", FLOATX)
def test_global_dtype_has_no_effect(floatx):
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
