"""Blockwise attention: memory, skipped keys and second derivatives."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.ops import attention
from keras_attention.ops.paths.layout import Layout
from keras_attention.ops.paths.stages import stages
from tests.backend import BACKEND, numpy, torch_tensor

T, S, BLOCK = 96, 80, 16


def options(name):
    """Options without any [T, S] tensor, so that none may be created."""
    rng = np.random.default_rng(0)
    return {
        "plain": {},
        "causal": {"causal": True},
        "window": {"window": 12, "causal": True},
        "padding": {"key_mask": rng.random((2, S)) < 0.7, "query_mask": rng.random((2, T)) < 0.7},
        "distance": {"bias": rng.standard_normal((1, 3, T + S - 1)).astype("float32")},
        "dropout": {"dropout": 0.2, "seed": 3},
    }[name]


def tensors_of(jaxpr):
    """Shapes of every value in a jaxpr and in those inside it."""
    for equation in jaxpr.eqns:
        yield from (v.aval.shape for v in equation.outvars)
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, tuple | list) else (parameter,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from tensors_of(inner)


def shapes(block_size, given):
    """Shapes of all tensors of a forward and backward pass."""
    query, key = np.ones((2, T, 3, 5), "float32"), np.ones((2, S, 3, 5), "float32")

    def run(query, key):
        return keras.ops.sum(ops.attend(query, key, key, block_size=block_size, **given))

    if BACKEND == "jax":
        import jax

        return [tuple(s) for s in tensors_of(jax.make_jaxpr(jax.grad(run, argnums=(0, 1)))(query, key).jaxpr)]
    import tensorflow as tf

    def both(query, key):
        with tf.GradientTape() as tape:
            tape.watch((query, key))
            loss = run(query, key)
        return tape.gradient(loss, (query, key))

    graph = tf.function(both, autograph=False).get_concrete_function(query, key).graph
    graphs = [graph, *(graph._get_function(n).graph for n in graph._functions)]
    return [tuple(t.shape) for g in graphs for o in g.get_operations() for t in o.outputs if t.shape.rank is not None]


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has no graph whose tensors could be listed")
@pytest.mark.parametrize("name", ["plain", "causal", "window", "padding", "distance", "dropout"])
@pytest.mark.usefixtures("plan_of_cpus")
def test_no_tensor_has_queries_times_keys(name):
    def largest(block_size):
        return max(int(np.prod([d or 1 for d in s])) for s in shapes(block_size, options(name)))

    assert largest(0) >= T * S, "the measure sees the dense path's logits"
    # The largest is a tile of one head, or the inputs with one feature more (and that of the padding mask).
    assert largest(BLOCK) <= max(BLOCK * (S + BLOCK), 2 * T * 3 * 7)


@pytest.mark.parametrize("query_offset", [0, 7, -20])
@pytest.mark.parametrize("causal, window", [(True, None), (True, 12), (False, 12)])
def test_stages_cover_visible_keys_and_few_others(causal, window, query_offset):
    rows = 16
    layout = Layout(B=2, T=T, S=S, kv_heads=1, groups=1, rows=rows, blocks=T // rows)
    touched, hides = np.zeros((T, S), bool), np.zeros((T, S), bool)
    for stage in stages(layout, causal, window, query_offset):
        for i in range(stage.first, stage.last):
            start = stage.start(i)
            assert start >= 0 and start + stage.size <= S
            touched[i * rows : (i + 1) * rows, start : start + stage.size] = True
            hides[i * rows : (i + 1) * rows, start : start + stage.size] = stage.banded
    t, s = np.arange(T)[:, None] + query_offset, np.arange(S)
    visible = (s <= t) if causal else np.ones((T, S), bool)
    if window:
        visible = visible & (abs(t - s) < window)
    assert not (visible & ~touched).any()
    assert not (touched & ~visible & ~hides).any(), "a stage without a band contains hidden keys"
    assert touched.sum() <= visible.sum() + T * (rows + (window or 0)) + rows * S


def test_keys_outside_of_every_window_are_not_read():
    """NaN in such keys would reach the output even if multiplied by zero."""
    rng = np.random.default_rng(0)
    query, key = (rng.standard_normal((1, n, 2, 5)).astype("float32") for n in (32, 256))
    key[:, 64:] = np.nan
    for given in ({"causal": True}, {"window": 5}):
        assert np.isfinite(numpy(ops.attend(query, key, key, block_size=16, **given))).all()


def test_block_size_larger_than_the_length():
    x = np.random.default_rng(0).standard_normal((2, 7, 3, 5)).astype("float32")
    expected = numpy(ops.attend(x, x, x, block_size=0))
    np.testing.assert_allclose(numpy(ops.attend(x, x, x, block_size=1000)), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow translates functions")
def test_works_with_autograph():
    """The default of `tf.function`; other tests switch it off because it takes seconds."""
    import tensorflow as tf

    x = np.random.default_rng(0).standard_normal((1, 7, 1, 5)).astype("float32")
    translated = tf.function(lambda x: ops.attend(x, x, x, causal=True, window=2, block_size=3))
    expected = ops.attend(x, x, x, causal=True, window=2, block_size=0)
    np.testing.assert_allclose(translated(x), expected, atol=1e-6)


@pytest.mark.usefixtures("plan_of_cpus")
def test_long_inputs_are_blockwise_by_default(monkeypatch):
    calls = []
    monkeypatch.setattr(attention, "fused", lambda *args, **kwargs: None)
    monkeypatch.setattr(attention, "blockwise", lambda q, *rest, **kwargs: calls.append(q.shape) or q)
    for length in (1000, 1024):
        x = np.zeros((1, length, 1, 1), "float32")
        ops.attend(x, x, x)
    assert [tuple(c) for c in calls] == [(1, 1024, 1, 1)]


SLOW = pytest.mark.slow
BANDS = [pytest.param({}, id="plain"), pytest.param({"causal": True}, id="causal", marks=SLOW)]
BANDS += [pytest.param({"window": 2}, id="window", marks=SLOW)]


TILED = [("gpu", (1,)), pytest.param("gpu", (), marks=SLOW), pytest.param("cpu", (), marks=SLOW)]


@pytest.mark.parametrize(("device", "unknown"), TILED)
@pytest.mark.parametrize("given", BANDS)
def test_second_derivatives_match_the_dense_path(given, device, unknown):
    rng = np.random.default_rng(0)
    query, key, value = (rng.standard_normal((1, n, 2, 3)).astype("float32") for n in (5, 7, 7))

    def loss(block_size, device="cpu"):
        return lambda x: keras.ops.sum(ops.attend(x, key, value, block_size=block_size, device=device, **given) ** 2)

    expected = second(loss(0), query)
    np.testing.assert_allclose(second(loss(3), query), expected, atol=1e-4)
    np.testing.assert_allclose(second(loss(3, device), query, xla=True, unknown=unknown), expected, atol=1e-4)


def second(loss, x, xla=False, unknown=()):
    """The gradient of the squared gradient; in a graph of TensorFlow, these axes are `unknown`."""
    if BACKEND == "jax":
        import jax

        return numpy(jax.jit(jax.grad(lambda x: jax.numpy.sum(jax.grad(loss)(x) ** 2)))(x))
    if BACKEND == "torch":
        import torch

        x = torch_tensor(x, trained=True)
        (gradient,) = torch.autograd.grad(loss(x), x, create_graph=True)
        return numpy(torch.autograd.grad((gradient**2).sum(), x)[0])
    import tensorflow as tf

    def twice(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = loss(x)
            squared = tf.reduce_sum(inner.gradient(value, x) ** 2)
        return outer.gradient(squared, x)

    if xla:
        spec = tf.TensorSpec([None if axis in unknown else size for axis, size in enumerate(x.shape)], x.dtype)
        twice = tf.function(twice, jit_compile=True, autograph=False, input_signature=[spec])
    return twice(tf.constant(x)).numpy()
