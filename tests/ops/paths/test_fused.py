"""The backend's kernel is used exactly where it supports the arguments."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.ops import attention
from keras_attention.ops.paths import fused as module
from keras_attention.ops.paths import plan
from tests.backend import BACKEND, numpy, value_and_gradients, without_derivative
from tests.reference.attend import attend as reference

RNG = np.random.default_rng(0)
QUERY = RNG.standard_normal((2, 5, 4, 8)).astype("float32")
KEY, VALUE = RNG.standard_normal((2, 7, 2, 8)).astype("float32"), RNG.standard_normal((2, 7, 2, 8)).astype("float32")
KEYS = np.array([[True] * 5 + [False] * 2, [False] * 7])
MASK = RNG.random((2, 1, 5, 7)) < 0.6
MASK[0, 0, 2] = False
BIAS = RNG.standard_normal((1, 4, 5, 7)).astype("float32")
# Rows that are hidden entirely, in part, or that are low throughout: these hide nothing.
BIAS[0, 0, 1], BIAS[0, 1, 3, 2:], BIAS[0, 2, 2] = -np.inf, -np.inf, np.finfo("float32").min
BY_DISTANCE = RNG.standard_normal((1, 4, 11)).astype("float32")
MASKED = {
    "causal-offset": {"causal": True, "query_offset": 2},
    "causal-negative": {"causal": True, "query_offset": -2},
    "causal-padding": {"causal": True, "key_mask": KEYS},
    "padding": {"key_mask": KEYS},
    "window": {"window": 2, "causal": True},
    "mask": {"mask": MASK},
    "mask-of-all": {"mask": MASK[0, 0]},
    "mask-of-keys": {"mask": MASK[:, :, 3:4]},
    "mask-causal-padding": {"mask": MASK, "causal": True, "key_mask": KEYS},
}
BIASED = {
    "bias": {"bias": BIAS},
    "bias-of-keys": {"bias": BIAS[:, :1, 4:]},
    "bias-mask-padding": {"bias": BIAS, "mask": MASK, "key_mask": KEYS},
    "distance": {"bias": BY_DISTANCE, "causal": True, "window": 3},
}
GIVEN = {"plain": {}, "causal": {"causal": True}, **MASKED, **BIASED}
ON = plan.default_device(BACKEND)
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch has a fused kernel for CPUs")


@pytest.fixture
def taken(monkeypatch):
    """Whether each call took the kernel."""
    calls, fused = [], attention.fused

    def spy(*args, **kwargs):
        context = fused(*args, **kwargs)
        calls.append(context is not None)
        return context

    monkeypatch.setattr(attention, "fused", spy)
    return calls


def attend(*x, scale=0.5, **given):
    return ops.attend(*map(keras.ops.convert_to_tensor, x), scale=scale, **given)


@pytest.mark.parametrize("sizes", [(8, 8), (8, 3), (5, 8)], ids=str)
@pytest.mark.parametrize("case", GIVEN)
def test_kernel_matches_the_equation(case, sizes, taken):
    parts = QUERY[..., : sizes[0]], KEY[..., : sizes[0]], VALUE[..., : sizes[1]]
    context = attend(*parts, **GIVEN[case])
    lossy = case in BIASED and ON != "cpu"
    assert taken == [BACKEND == "torch" and not lossy], "only PyTorch has a fused kernel for CPUs"
    expected, _ = reference(*parts, scale=0.5, **GIVEN[case])
    np.testing.assert_allclose(numpy(context), expected, atol=1e-5)


@on_torch
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", [case for case in GIVEN if case not in BIASED])
def test_gradients_match_the_dense_path(case, dtype, taken):
    def run(block_size):
        def context(*x):
            x = [keras.ops.cast(y, dtype) for y in x]
            return keras.ops.cast(attend(*x, block_size=block_size, **GIVEN[case]), "float32")

        return value_and_gradients(context, (QUERY, KEY, VALUE), QUERY)

    (context, gradients), (expected, wanted) = run(None), run(0)
    assert taken == [True]
    tolerance = 1e-5 if dtype == "float32" else 0.05
    for one, other in zip((context, *gradients), (expected, *wanted), strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance, rtol=tolerance)


@on_torch
def test_no_kernel_where_it_would_differ(taken):
    """Random numbers, gradients with a bias, inputs of several dtypes, and a single key."""
    attend(QUERY, KEY, VALUE, dropout=0.1, seed=3)
    attend(QUERY, KEY, keras.ops.cast(VALUE, "float64"))
    attend(QUERY, KEY[:, :1], VALUE[:, :1])
    attend(keras.ops.convert_to_tensor(QUERY).requires_grad_(), KEY, VALUE, bias=BIAS)
    attend(QUERY, KEY, VALUE, bias=keras.ops.convert_to_tensor(BIAS).requires_grad_())
    assert taken == [False] * 5


@on_torch
def test_a_bias_keeps_its_precision_beside_half_inputs(taken):
    bias = 100 + BIAS[:, 3:] / 8  # in bfloat16 all would be 100
    x = [keras.ops.cast(y, "bfloat16") for y in (QUERY, KEY, VALUE)]
    context = attend(*x, bias=bias)
    expected, _ = reference(*(numpy(keras.ops.cast(y, "float32")) for y in x), scale=0.5, bias=bias)
    assert taken == [ON == "cpu"]
    np.testing.assert_allclose(numpy(keras.ops.cast(context, "float32")), expected, atol=0.02)


@on_torch
@pytest.mark.usefixtures("plan_of_cpus")
def test_large_masks_are_made_only_as_large_as_given_ones(taken, monkeypatch):
    monkeypatch.setattr(plan, "DENSE_BELOW", 1)
    attend(QUERY, KEY, VALUE, key_mask=KEYS)
    attend(QUERY, KEY, VALUE, mask=MASK, key_mask=KEYS, causal=True)
    assert taken == [True, True], "a mask of keys has one row, and a given one is as large as theirs together"
    attend(QUERY, KEY, VALUE, key_mask=KEYS, causal=True)
    attend(QUERY, KEY, VALUE, mask=MASK[:1], key_mask=KEYS)
    attend(QUERY, KEY, VALUE, window=2)
    assert taken[2:] == [False] * 3
    attend(QUERY, KEY, VALUE, key_mask=KEYS, causal=True, device="gpu")
    monkeypatch.setattr(plan, "BUDGET", 4 * MASK.size - 1)
    attend(QUERY, KEY, VALUE, key_mask=KEYS, causal=True, device="gpu")
    attend(QUERY, KEY, VALUE, mask=MASK)
    assert taken[5:] == [True, False, False]


@on_torch
@pytest.mark.parametrize("given", [{}, {"mask": MASK}], ids=["plain", "mask"])
def test_kernel_compiles_in_one_graph(given, taken):
    import torch

    x = [keras.ops.convert_to_tensor(y).requires_grad_() for y in (QUERY, KEY, VALUE)]
    given = {name: keras.ops.convert_to_tensor(y) for name, y in given.items()}
    compiled = torch.compile(lambda *x: attend(*x, **given), fullgraph=True, backend="aot_eager")
    ours, expected = (torch.autograd.grad(f(*x).sum(), x) for f in (compiled, lambda *x: attend(*x, **given)))
    assert taken == [True, True]
    torch.testing.assert_close(ours, expected)


@on_torch
def test_symbolic_inputs_of_unknown_length():
    query, key, value = (keras.Input((None, *y.shape[2:])) for y in (QUERY, KEY, VALUE))
    model = keras.Model([query, key, value], ops.attend(query, key, value, causal=True, scale=0.5))
    expected, _ = reference(QUERY, KEY, VALUE, causal=True, scale=0.5)
    np.testing.assert_allclose(numpy(model([QUERY, KEY, VALUE])), expected, atol=1e-5)


@pytest.fixture
def cudnn(monkeypatch):
    """A stand-in for cuDNN's kernel: the same equation, of which neither value nor gradient has a derivative."""
    import jax

    calls, equation = [], jax.nn.dot_product_attention

    opaque = without_derivative()

    def attention(q, k, v, *, mask, scale, is_causal, implementation):
        assert implementation == "cudnn" and q.dtype in ("float16", "bfloat16")
        if mask is not None:
            assert mask.shape[2:] == (q.shape[1], k.shape[1]), "cuDNN broadcasts neither rows nor keys"
            if q.shape[1] % 2 or k.shape[1] % 2:
                raise NotImplementedError("with a mask the gradient needs even lengths")

        def plain(q, k, v):
            context = equation(q, k, v, mask=mask, scale=scale, is_causal=is_causal)
            if mask is None:
                return context
            sees = jax.numpy.swapaxes(mask.any(axis=-1, keepdims=True), 1, 2)
            return jax.numpy.where(sees, context, jax.numpy.nan)

        def backward(x, d):
            return tuple(map(opaque, jax.vjp(plain, *x)[1](d)))

        run = jax.custom_vjp(plain)
        run.defvjp(lambda *x: (opaque(plain(*x)), x), backward)
        calls.append(mask is not None)
        return run(q, k, v)

    monkeypatch.setattr(jax.nn, "dot_product_attention", attention)
    monkeypatch.setattr(module, "default_device", lambda backend: "gpu")
    module._cudnn_takes.cache_clear()
    yield calls
    module._cudnn_takes.cache_clear()


on_jax = pytest.mark.skipif(BACKEND != "jax", reason="cuDNN's kernel is JAX's")
EVEN = QUERY[:, :4], KEY[:, :6], VALUE[:, :6]
EVEN_MASKED = {
    "causal-padding": {"causal": True, "key_mask": KEYS[:, :6]},
    "mask-causal": {"mask": MASK[:, :, :4, :6], "causal": True},
}


@on_jax
@pytest.mark.parametrize("given", [{}, {"causal": True}, *EVEN_MASKED.values()], ids=["plain", "causal", *EVEN_MASKED])
def test_cudnn_matches_the_dense_path_up_to_second_derivatives(given, taken, cudnn):
    import jax

    x = [jax.numpy.asarray(y, "bfloat16") for y in EVEN]
    c = RNG.standard_normal(EVEN[0].shape)

    def derivatives(block_size):
        def loss(*x):
            return (attend(*x, block_size=block_size, **given).astype("float32") * c).sum()

        def slope(*x):
            value, gradients = jax.value_and_grad(loss, (0, 1, 2))(*x)
            return value * sum((g.astype("float32") ** 2).sum() for g in gradients), gradients

        return jax.jit(jax.grad(slope, (0, 1, 2), has_aux=True))(*x)

    ours, expected = derivatives(None), derivatives(0)
    assert taken == [True] and cudnn
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        one, other = np.asarray(one, "float32"), np.asarray(other, "float32")
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, atol=0.03 * np.abs(other).max())


@on_jax
def test_cudnn_is_taken_where_it_hides_keys_for_certain(taken, cudnn):
    masked = EVEN_MASKED["mask-causal"]
    kinds = {kind: [keras.ops.cast(y, kind) for y in EVEN] for kind in ("float16", "bfloat16", "float32")}
    attend(*kinds["float16"], causal=True)
    attend(*kinds["bfloat16"], **masked)
    assert taken == [True, True]
    attend(*kinds["float32"])
    attend(*kinds["float16"], **masked)
    attend(*kinds["bfloat16"], bias=BIAS[:, :, :4, :6])
    attend(kinds["bfloat16"][0][:, :3], *kinds["bfloat16"][1:], **EVEN_MASKED["causal-padding"])
    assert taken[2:] == [False] * 4
