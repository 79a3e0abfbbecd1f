"""The plan of tiles: steps, bytes, devices, and what a compiled program for accelerators does with it."""

import math
import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from keras_attention import ops
from keras_attention.layers import (
    LuongAttention,
    MultiHeadAttention,
    NonLocalBlock,
    ScaledDotProductAttention,
    SelfAttention2D,
)
from keras_attention.ops import block_local
from keras_attention.ops.block_local.masks import Blocks
from keras_attention.ops.paths import plan
from tests.backend import BACKEND
from tests.layers.paths import tensors

FLOAT = 4


def steps(B, T, S, N, **given):
    """Tiles of blockwise attention on a GPU, and the bytes of one."""
    if plan.is_dense(B, T, S, N, "gpu", FLOAT):
        return 1, B * T * S * N * FLOAT
    tile = plan.tile_of_heads(B, T, S, N, N, "gpu", **given)
    return B // tile.batch * math.ceil(T / tile.rows), tile.batch * tile.rows * S * N * FLOAT


def test_few_steps_of_all_heads_and_batch_entries():
    tile = plan.tile_of_heads(32, 2048, 2048, 16, 4, "gpu")
    assert (tile.batch, tile.heads) == (32, 4)
    assert steps(32, 2048, 2048, 16)[0] <= 16
    assert steps(8, 1024, 2048, 8) == (1, 512 * 2**20), "as many bytes as the budget are dense"
    assert steps(8, 1024, 2050, 8)[0] == 2


@pytest.mark.parametrize("seed", range(3))
def test_steps_and_bytes_stay_within_the_budget(seed):
    rng, tiles, exceed = np.random.default_rng(seed), 0, 0
    for _ in range(300):
        B, N = (int(rng.integers(1, 65)) for _ in range(2))
        T, S = (int(2 ** rng.uniform(0, 17)) for _ in range(2))
        count, tile = steps(B, T, S, N)
        assert count <= 1 + math.ceil(B * T * S * N * FLOAT / plan.BUDGET)
        assert tile < 1.2 * plan.BUDGET, "whole rows and entries cannot always keep both"
        exceed += tile > plan.BUDGET
        tiles += count > 1
    assert tiles > 100 and exceed < 0.4 * tiles


@pytest.mark.parametrize("seed", range(2))
def test_tiles_of_pairs_stay_within_the_budget(seed):
    """Additive, windowed and concatenating attention."""
    rng, tiles, exceed = np.random.default_rng(seed), 0, 0
    for _ in range(300):
        B, width = int(rng.integers(1, 65)), int(rng.integers(1, 513))
        T, S = (int(2 ** rng.uniform(1, 15)) for _ in range(2))
        total, tile = B * T * S * width * FLOAT, plan.tile_of_pairs(B, T, S, width, "gpu")
        if tile is None:
            assert total <= plan.BUDGET
            continue
        count, one = -(-B // tile.batch) * -(-T // tile.rows), tile.batch * tile.rows * S * width * FLOAT
        assert 1 < count <= 1 + math.ceil(total / plan.BUDGET) and one < 1.2 * plan.BUDGET
        exceed += one > plan.BUDGET
        tiles += 1
    assert tiles > 100 and exceed < 0.4 * tiles


@pytest.mark.parametrize("seed", range(2))
def test_strips_of_all_heads_and_entries(seed):
    """Entries are cut only where the fewest rows of all of them exceed the budget."""
    rng, cut = np.random.default_rng(seed), 0
    for _ in range(300):
        B, N, residues, least = (int(rng.integers(1, most)) for most in (65, 17, 5, 4))
        rows, logits = (int(2 ** rng.uniform(0, most)) for most in (10, 24))
        tile = plan.tile_of_strips(B, N, residues, rows, least, logits, "gpu")
        assert tile.heads == N * residues and min(rows, least) <= tile.rows <= rows
        one = tile.heads * tile.rows * logits * FLOAT
        if tile.batch < B:
            cut += 1
            assert B * one > plan.BUDGET and tile.rows < 2 * least
            assert tile.batch == 1 or tile.batch * one <= plan.BUDGET
        assert tile.batch * one <= plan.BUDGET or tile.rows < 2 * least
    assert 0 < cut < 300


def test_an_argument_comes_before_the_setting_and_the_setting_before_the_device(monkeypatch):
    monkeypatch.delenv(plan.SETTING, raising=False)
    assert plan.device_kind() in plan.DEVICES
    monkeypatch.setenv(plan.SETTING, "tpu")
    assert plan.device_kind() == "tpu"
    assert plan.device_kind("cpu") == "cpu"
    monkeypatch.setenv(plan.SETTING, "cuda")
    with pytest.raises(ValueError, match="KERAS_ATTENTION_DEVICE.*cpu, gpu, tpu.*'cuda'"):
        plan.device_kind()


@pytest.mark.parametrize("op", ["attend", "additive_attend", "additive_logits", "windowed_attend", "non_local"])
def test_an_unknown_device_is_refused_by_name(op):
    x = np.ones((2, 3, 4), "float32")
    inputs = {"additive_attend": (x, x, x, x[0, 0]), "additive_logits": (x, x, x[0, 0])}.get(op, (x, x, x))
    inputs = tuple(y[:, :, None] for y in inputs) if op == "attend" else inputs
    more = {"center": x[..., 0], "half_width": 2} if op == "windowed_attend" else {}
    with pytest.raises(ValueError, match="`device` must be one of.*device='cuda'"):
        getattr(ops, op)(*inputs, **more, device="cuda")


def gradients(length, device, causal):
    """Gradient of blockwise attention of 2 x 8 heads of this length, in JAX."""
    import jax

    def loss(query, key, value):
        return jax.numpy.sum(ops.attend(query, key, value, device=device, causal=causal) ** 2)

    x = jax.ShapeDtypeStruct((2, length, 8, 16), "float32")
    return jax.jit(jax.grad(loss, argnums=(0, 1, 2))), (x, x, x)


@pytest.mark.skipif(BACKEND != "jax", reason="`jax.export` needs the JAX backend")
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_loops_of_the_lowered_program_have_the_steps_of_the_plan(platform, monkeypatch):
    from jax import export

    monkeypatch.setattr(plan, "BUDGET", 2**20)
    function, x = gradients(256, "tpu" if platform == "tpu" else "gpu", causal=False)
    program = export.export(function, platforms=(platform,))(*x).mlir_module()
    trips = [int(n) for n in re.findall(r"stablehlo.constant dense<(\d+)> : tensor<i32>", program)]
    loops = program.count("stablehlo.while")
    wanted = steps(2, 256, 256, 8)[0]
    assert wanted == 4 and loops == 2, "forward and backward"
    assert wanted in trips


def kinds_of_attention():
    """Of each path: a function of queries and keys, run as on a GPU, and arrays."""
    rng = np.random.default_rng(0)

    def arrays(*shapes):
        return [rng.standard_normal(shape).astype("float32") for shape in shapes]

    flat, heads = arrays((2, 357, 6), (2, 301, 6)), arrays((2, 357, 3, 6), (2, 301, 3, 6))
    (vector,), on_gpu = arrays((6,)), {"device": "gpu"}
    window = {"center": np.linspace(0, 300, 2 * 357, dtype="float32").reshape(2, 357), "half_width": 9}
    blocks = Blocks.of_sequence(7, 7, True, 1)
    sagan = SelfAttention2D("paper")
    sagan.build((2, 21, 17, 8))
    return {
        "heads": (lambda q, k: ops.attend(q, k, k, **on_gpu), heads),
        "heads, causal": (lambda q, k: ops.attend(q, k, k, causal=True, **on_gpu), heads),
        "additive": (lambda q, k: ops.additive_attend(q, k, k, vector, **on_gpu), flat),
        "windowed": (lambda q, k: ops.windowed_attend(q, k, k, **window, **on_gpu), flat),
        "non-local": (lambda q, k: ops.non_local(q, k, k, "embedded_gaussian", **on_gpu), flat),
        "concatenation": (
            lambda q, k: ops.non_local(q, k, k, "concatenation", vector=np.concatenate([vector, vector]), **on_gpu),
            flat,
        ),
        "sagan": (sagan, arrays((2, 21, 17, 8))),
        "block-local": (lambda q: block_local.attend(q, q, q, blocks, **on_gpu), arrays((2, 1785, 1, 3, 1))),
    }


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has no graph whose tensors could be listed")
@pytest.mark.parametrize("kind", kinds_of_attention())
def test_no_tensor_of_any_path_exceeds_the_budget(kind, monkeypatch):
    """Forward and backward, traced as on a GPU."""
    function, arrays = kinds_of_attention()[kind]
    monkeypatch.setenv(plan.SETTING, "gpu")
    largest = max(math.prod(shape) for shape in tensors(function, arrays))
    monkeypatch.setattr(plan, "BUDGET", 2**17)
    tiled = max(math.prod(shape) for shape in tensors(function, arrays))
    assert FLOAT * tiled <= plan.BUDGET < FLOAT * largest / 6, "the measure sees all pairs at once"


SHARDED = """
    import re
    import jax, keras, numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec
    from keras_attention import ops
    from keras_attention.ops import block_local
    from keras_attention.ops.block_local.masks import Blocks
    from keras_attention.ops.paths import plan

    plan.BUDGET, plan.DENSE_BELOW = 2**16, 64
    wide, narrow = (np.random.default_rng(0).standard_normal(s).astype("float32") for s in ((64, 64), (1, 127)))
    options = {
        "plain": {}, "dense": {"block_size": 0}, "mask": {"mask": wide > 0}, "dropout": {"dropout": 0.1, "seed": 3},
        "causal distance": {"causal": True, "bias": narrow[None]}, "cpu": {"device": "cpu"},
    }
    local = {"sequence": ((512, 1), (4, 1), (4, 0), (2, 1)), "image": ((32, 6), (2, 3), (1, 1), (1, 1))}

    def show(name, count, axis, function, shape):
        mesh = Mesh(np.array(jax.devices()[:count]), ("d",))
        spec = NamedSharding(mesh, PartitionSpec(*[None] * axis, "d"))
        x = jax.ShapeDtypeStruct(shape, "float32", sharding=spec)
        def loss(query, key, value):
            return (function(query, key, value) ** 2).sum()
        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)), out_shardings=(None, (spec,) * 3))
        report(name, count, axis, step.lower(x, x, x).compile().as_text())

    def report(name, count, axis, text):
        found = sorted(set(re.findall(r"(all-gather|all-to-all|collective-permute)", text)))
        print(name, count, axis, found, text.count(" while("), sep="; ")

    for count, axis in ((2, 0), (8, 0), (2, 2), (8, 2)):
        for name, given in list(options.items())[: 1 if count == 2 else None]:
            given = {"device": "gpu", **given}
            show(name, count, axis, lambda *x: ops.attend(*x, **given), (8, 64, 8, 16))
    mesh = Mesh(np.array(jax.devices()), ("d",))
    specs = [NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), (None, "d"), (None, "d"))]
    x = [jax.ShapeDtypeStruct((2, 64, 4, 8), "float32", sharding=spec) for spec in specs]
    for name, size in (("dense, keys", 0), ("tiles, keys", 16)):
        def loss(*x):
            return (ops.attend(*x, block_size=size, device="gpu") ** 2).sum()
        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)), out_shardings=(None, tuple(specs)))
        report(name, 8, 1, step.lower(*x).compile().as_text())

    def concatenation(query, key, value):
        vector = np.ones(32, "float32")
        return ops.non_local(query, key, value, "concatenation", vector=vector, block_size=1, device="gpu")

    show("dense concatenation", 8, 0, concatenation, (8, 64, 16))
    plan.BUDGET = 2**21
    for count, axis in ((8, 0), (2, 3)):
        for name, (size, *blocks) in local.items():
            blocks = Blocks(*blocks, axis == 0)
            show(name, count, axis, lambda *x: block_local.attend(*x, blocks, device="gpu"), (8, *size, 8, 4))
"""


@pytest.mark.skipif(BACKEND != "jax", reason="needs several host devices of JAX")
def test_sharded_inputs_are_not_gathered():
    """Sharded over the batch or the heads, or keys and values over their length; forward and backward."""
    flags = "--xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    run = [sys.executable, "-c", textwrap.dedent(SHARDED)]
    lines = subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    found = [line.split("; ") for line in lines]
    assert len(found) == 2 * (1 + 6) + 2 + 1 + 2 * 2
    for name, _, _, collectives, loops in found:
        assert (int(loops) > 0) == ("dense" not in name)
        assert ("all-gather" in collectives) == (name == "cpu"), "whose parts are heads of single entries"
        assert name == "cpu" or collectives == "[]"


@pytest.mark.skipif(BACKEND != "tensorflow", reason="other backends compile known sizes")
@pytest.mark.parametrize(
    ("device", "unknown", "dense_below"),
    [("gpu", (0,), 0), ("gpu", (0, 1), 0), ("cpu", (0, 1), 49), ("cpu", (0, 1), 50)],
)
def test_gradients_compile_where_sizes_are_unknown(device, unknown, dense_below, monkeypatch):
    """As in training, where the batch is not known; CPUs choose a path at run time."""
    import tensorflow as tf

    monkeypatch.setattr(plan, "DENSE_BELOW", dense_below)
    x = np.random.default_rng(0).standard_normal((2, 7, 3, 4)).astype("float32")

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(ops.attend(x, x * 0.5, x + 1, device=device) ** 2)
        return tape.gradient(y, x)

    spec = tf.TensorSpec([None if i in unknown else n for i, n in enumerate(x.shape)])
    compiled = tf.function(gradient, jit_compile=True, autograph=False, input_signature=[spec])
    np.testing.assert_allclose(compiled(tf.constant(x)), gradient(tf.constant(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="other backends have one kind of choice")
@pytest.mark.parametrize("training", [True, False, None])
@pytest.mark.parametrize("name", ["attend", "heads", "queries", "pixels", "positions", "Luong"])
def test_without_training_the_choice_is_one_that_converters_know(name, training):
    """`If` has an equivalent in ONNX and LiteRT, `Case` has none; XLA compiles the gradient of `Case` alone."""
    import tensorflow as tf

    layers = {
        "heads": MultiHeadAttention(2, 3),
        "queries": ScaledDotProductAttention(),
        "pixels": SelfAttention2D(variant="paper"),
        "positions": NonLocalBlock(pairwise="dot_product"),
        "Luong": LuongAttention(),
    }

    def call(x, training):
        if name == "attend":
            return ops.attend(*[x[:, :, None]] * 3, training=bool(training))
        return layers[name](*([x] if name in ("pixels", "positions") else [x, x]), training=training)

    x = np.ones((2, 5, 4, 6) if name == "pixels" else (2, 5, 6), "float32")
    call(x, training=training)
    spec = tf.TensorSpec([None, *[None] * (x.ndim - 2), 6])
    graph = tf.function(lambda x: call(x, training=training), autograph=False).get_concrete_function(spec).graph
    kinds = {node.type for node in graph.get_operations()} & {"If", "StatelessIf", "Case", "StatelessCase"}
    assert len(kinds) == 1 and kinds <= ({"Case", "StatelessCase"} if training else {"If", "StatelessIf"})
