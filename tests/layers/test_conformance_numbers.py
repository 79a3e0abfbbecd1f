"""Conformance suite of every public layer with keys: large logits, every floatx, derivatives, memory use."""

import contextlib

import keras
import numpy as np
import pytest

from keras_attention.ops import attention
from tests.layers.conformance import BACKEND, CASES, arrays, block, built, close, each, each_half, symbols
from tests.layers.paths import CHEAP, Passes, along, passes, tensors
from tests.layers.visibility import everything, first, pools, resized

# Layers without operations that Keras always computes in float32 on JAX and PyTorch.
BY_EINSUM = ("ScaledDotProductAttention", "MultiHeadAttention", "LuongAttention-dot")
BY_KERAS = ("MultiHeadAttention-rotary-normalized", "MultiHeadAttention-capped-sinks")
ATTENTION = [case for case in CASES if case.values is not None]
KEYED = each(ATTENTION)
# Their projections act on single positions, and their attention is the operation of another case.
OF_OTHERS = (
    "ScaledDotProductAttention-one-head",
    "MultiHeadAttention-grouped-gated",
    "BahdanauAttention-normalized",
    "LuongAttention-dot",
    "LocalAttention1D-causal-dilated",
    "SelfAttention2D-paper-normalised",
)
# bfloat16 has the range of float32 and cannot overflow here.
LARGE = each_half(ATTENTION, only="float16")
# JAX compiles for each dtype.
HALF = each_half(ATTENTION, "bfloat16", only="float16" if BACKEND == "jax" else None)


@LARGE
def test_large_logits_are_finite_in_half_precision(case, dtype):
    """Logits of some ten thousands, near the maximum of float16, forward and backward."""
    policy = f"mixed_{dtype}"
    # Without a softmax, the output grows with the cube of the inputs and would overflow float16.
    small = case.init.get("pairwise") in ("dot_product", "concatenation")
    x = [np.clip((3 if small else 60) * a, -100, 100) for a in arrays(case)]
    built(case, dtype=policy)
    output, gradients = passes(case, CHEAP, dtype=policy)(x)
    assert np.isfinite(output).all() and np.ptp(output) > 0
    assert all(np.isfinite(g).all() for g in gradients)


@contextlib.contextmanager
def floatx(dtype):
    """Sets the dtype of everything, as `keras.config.set_floatx` at the start of a program does."""
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        with jax_of_64_bits(dtype == "float64"):
            yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)


@contextlib.contextmanager
def jax_of_64_bits(wanted):
    """JAX has float64 only with `jax_enable_x64`."""
    if BACKEND != "jax" or not wanted:
        yield
        return
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", False)


def some_hidden(case):
    """Every mask and bias that a call takes, hiding a few keys."""
    rest = everything(case)
    for name, x in rest.items():
        if name == "attention_bias":
            rest[name] = np.random.default_rng(5).standard_normal(x.shape).astype("float32")
        else:
            x[0, ..., -1] = False
    return rest


def full_call(case):
    return {**case.call, **(case.causal or {})}


@HALF
def test_half_floatx_with_masks_and_causality(case, dtype):
    rest, weights = some_hidden(case), built(case).get_weights()
    exact = passes(case, CHEAP, tuple((case.causal or {}).items())).forward(arrays(case), rest)
    with floatx(dtype):
        run = Passes(with_weights(case, weights, case.init), full_call(case), case.dynamic, CHEAP)
        output = run.forward(arrays(case), rest)
    assert run.dtype == dtype
    np.testing.assert_allclose(output, exact, atol=0.06 * max(1, np.abs(exact).max()))


def with_weights(case, weights, init):
    """A layer with these weights and the current floatx."""
    layer = case.layer(**init)
    layer(*symbols(case), **case.call)
    layer.set_weights(weights)
    return layer


def of_the_policy(config):
    """The config without the dtypes of inner layers, which then take the current policy."""
    if not isinstance(config, dict):
        return config
    return {name: of_the_policy(value) for name, value in config.items() if name != "dtype"}


@each(ATTENTION, slow=block)
def test_float64_computes_in_float64_and_has_second_derivatives(case):
    """Against finite differences, which in float32 would be noise.

    The steps are too small to change the argmax of a max pool, where the function has a kink.
    """
    by_einsum = (str(case).split("-")[0] in BY_EINSUM or str(case) in BY_EINSUM) and str(case) not in BY_KERAS
    if BACKEND != "tensorflow" and not by_einsum:
        pytest.skip("Keras's own operations compute float64 in float32 on JAX and PyTorch")
    rng, weights, h = np.random.default_rng(6), built(case).get_weights(), 8e-5
    x = [a.astype("float64") for a in arrays(case)]
    direction, scale = [rng.standard_normal(a.shape) for a in x], rng.standard_normal(case.output)
    with floatx("float64"):
        layer = with_weights(case, weights, of_the_policy(case.init))
        f, derivatives = along(layer, {**some_hidden(case), **full_call(case)}, x, direction, scale)
        values = {n: f(n * h) for n in (-2, -1, 1, 2)}
        value, slope, bend = derivatives(0.0)
    size = 1 + max(np.abs(v) for v in values.values())
    first = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * h)
    second = (16 * (values[1] + values[-1]) - (values[2] + values[-2]) - 30 * value) / (12 * h**2)
    np.testing.assert_allclose(slope, first, rtol=1e-9, atol=1e-10 * size)
    # TensorFlow's moments stop a gradient that only second derivatives need: those of Keras's norm are wrong.
    normalised = any(isinstance(x, keras.layers.LayerNormalization) for x in layer._flatten_layers())
    if BACKEND != "tensorflow" or not normalised:
        np.testing.assert_allclose(bend, second, rtol=1e-4, atol=1e-5 * size)
    assert abs(bend) > 1e-3


@pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch has a fused kernel for CPUs")
@KEYED
def test_second_derivatives_of_fused_kernels(case, monkeypatch):
    """Those of the other paths: the gradient of a kernel cannot be differentiated."""
    rng, layer, x = np.random.default_rng(8), built(case), arrays(case)
    direction, scale = [rng.standard_normal(a.shape) for a in x], rng.standard_normal(case.output)
    _, derivatives = along(layer, full_call(case), x, direction, scale, "float32")
    ours = derivatives(0.0)
    monkeypatch.setattr(attention, "fused", lambda *args, **kwargs: None)
    np.testing.assert_allclose(ours, derivatives(0.0), rtol=1e-3, atol=1e-3 * (1 + np.abs(ours).max()))
    assert abs(ours[2]) > 1e-3


@each(case for case in CASES if case.narrow)
def test_as_many_heads_of_size_1_as_tokens(case):
    """Four heads and four tokens, with a bias where one is taken, equal five tokens of which the last is padding."""
    run = passes(case, CHEAP, tuple((case.causal or {}).items()), **case.narrow)
    built(case, **case.narrow)
    bias = np.random.default_rng(7).standard_normal((2, 4, 5, 5)).astype("float32")
    x, rest = resized(case, queries=4, keys=4)
    longer, hidden = resized(case, queries=5, keys=5)
    for name in case.masks:
        hidden[name][..., 4:] = False
    if "attention_bias" in rest:
        shape = rest["attention_bias"].shape
        rest["attention_bias"] = np.broadcast_to(bias[..., :4, :4].reshape(2, *[1] * (len(shape) - 4), 4, 4, 4), shape)
        shape = hidden["attention_bias"].shape
        hidden["attention_bias"] = np.broadcast_to(bias.reshape(2, *[1] * (len(shape) - 4), 4, 5, 5), shape)
    close(run.forward(x, rest), first(run.forward(longer, hidden), case, 4))


def long_shapes(case):
    """Shapes of one sample with so many positions that no tensor should hold all pairs."""
    sizes = {1: (1031,), 2: (43, 53), 3: (3, 43, 53)}[len(case.dynamic)]
    if "attention_axes" in case.init:
        sizes = (2, 1031)
    if case.init.get("extent") == "time":
        sizes = (1031, 2, 3)
    if a_grid_in_order(case):
        sizes = (43, 53)
    if len(sizes) == 1 and pools(case):
        sizes = (2063,)
    shapes = []
    for i, shape in enumerate(case.inputs):
        dims = [1, *shape[1:]]
        axes = case.dynamic if i or len(sizes) == len(case.dynamic) else range(1, 1 + len(sizes))
        for axis, n in zip(axes, sizes if i == 0 or len(case.dynamic) > 1 else (1031,), strict=True):
            dims[axis] = n + 2 * (i > 0 and axis == max(axes))
        shapes.append(tuple(dims))
    return shapes


def pairs(case, x):
    """The numbers of queries and of keys."""
    if "attention_axes" in case.init:
        return tuple(a.shape[2] for a in x)
    if case.init.get("extent") == "time":
        return x[0].shape[1], x[0].shape[1]
    axes = case.dynamic[1:] if case.init.get("extent") == "space" else case.dynamic
    queries, keys = ([a.shape[i] // by for i in axes] for a, by in ((x[0], 1), (x[-1], 2 if pools(case) else 1)))
    if a_grid_in_order(case):
        queries = x[0].shape[1:3]
    return int(np.prod(queries)), int(np.prod(keys))


def a_grid_in_order(case):
    """Whether the positions of an image are treated as one sequence."""
    return "query_block" in case.init and len(case.inputs[0]) == 4 and len(case.dynamic) == 1


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has no graph whose tensors could be listed")
@each((case for case in ATTENTION if not case.pairs and str(case) not in OF_OTHERS), slow=block)
@pytest.mark.usefixtures("plan_of_cpus")
def test_no_tensor_holds_all_pairs_of_long_inputs(case):
    """Traced forward and backward, not run."""
    layer = built(case, **case.long)
    x = [np.zeros(shape, "float32") for shape in long_shapes(case)]
    T, S = pairs(case, x)
    assert T * S > 1024 * 1024

    def run(*x):
        return layer(*x, **case.call)

    def scored(*x):
        return layer(*x, return_attention_scores=True, **case.call)

    if case == next(case for case in CASES if case.scores):
        assert max(map(np.prod, tensors(scored, x, backward=False))) >= T * S, "the measure sees the scores"
    found = tensors(run, x)
    assert max(map(np.prod, found)) < T * S
    if len({T, S} & {1031, 1033}) == len({T, S}):
        assert not [shape for shape in found if T in shape and S in shape and (T != S or shape.count(T) > 1)]
