"""Layouts of weights over a mesh, and training by them on eight devices of one host."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

from keras_attention import layers, models
from tests.backend import BACKEND

ROOT = pathlib.Path(__file__).parents[2]


def mesh(count, axis="model"):
    return keras.distribution.DeviceMesh((1, count), ["batch", axis], [f"cpu:{i}" for i in range(count)])


def axes(model, count):
    return {path: layout.axes for path, layout in models.layout_map(model, mesh(count)).items()}


def heads(name, biases=False):
    into = {f"{name}/{part}/kernel": (None, "model", None) for part in ("query", "key", "value")}
    into |= {f"{name}/{part}/bias": ("model", None) for part in ("query", "key", "value") if biases}
    return into | {f"{name}/attention_output/kernel": ("model", None, None)}


def hidden(name):
    up = {f"{name}/expand/kernel": (None, "model"), f"{name}/expand/bias": ("model",)}
    return up | {f"{name}/contract/kernel": ("model", None)}


def test_transformer():
    sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 3, "key_dim": 5, "value_dim": 7, "intermediate_dim": 6}
    found = axes(models.transformer(12, **sizes, use_bias=True), 3)
    names = ("encoder_block_0/self_attention", "decoder_block_0/self_attention", "decoder_block_0/memory_attention")
    expected = {"embedding/embeddings": ("model", None)}
    expected |= {k: v for name in names for k, v in heads(name, biases=True).items()}
    expected |= {
        k: v for name in ("encoder_block_0", "decoder_block_0") for k, v in hidden(f"{name}/feed_forward").items()
    }
    assert found == expected
    assert "embedding/embeddings" not in axes(models.transformer(13, **sizes), 3), "13 rows are replicated"


def test_vision_transformer():
    found = axes(models.VisionTransformer((4, 9), (2, 3), 2, 12, 4, 20, 5), 2)
    blocks = ("block_0", "block_1")
    expected = {k: v for name in blocks for k, v in heads(f"{name}/self_attention", biases=True).items()}
    assert found == expected | {k: v for name in blocks for k, v in hidden(f"{name}/feed_forward").items()}


def test_layers_of_all_kinds():
    x = keras.Input((4, 12))
    grouped = layers.MultiHeadAttention(4, 5, num_key_value_heads=2, use_gate=True, use_bias=False, name="grouped")(
        x, x
    )
    local = layers.LocalAttention1D(4, 5, query_block=2, memory_block=3, use_bias=False, name="local")(x)
    table = keras.layers.Embedding(8, 3, name="table")(keras.ops.cast(x[..., 0], "int32"))
    model = keras.Model(x, [grouped, local, table])
    rest = {**heads("local"), "table/embeddings": ("model", None)}
    gated = {**heads("grouped"), "grouped/gate/kernel": (None, "model", None)}
    assert axes(model, 2) == {**gated, **rest}
    for part in ("key", "value"):
        del gated[f"grouped/{part}/kernel"]
    assert axes(model, 4) == {**gated, **rest}, "two key/value heads are replicated over four devices"


def test_sagan():
    networks = models.sagan(image_size=16, num_classes=4, channels=8, attention_at=8, noise_dim=5)
    attention = {
        "block1_attention/value/value/kernel": (None, "model"),
        "block1_attention/out/out/kernel": ("model", None),
    }
    norms = {f"block{b}_norm{n}/{w}": ("model", None) for b in (1, 2) for n in (1, 2) for w in ("gamma", "beta")}
    assert axes(networks[0], 4) == {**attention, **norms}
    assert axes(networks[1], 4) == {**attention, "logits/embedding/embedding/embeddings": ("model", None)}


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (layers.FeedForward(9, name="ffn"), mesh(4), "`intermediate_dim` of ffn must be divisible by the 4.*=9"),
        (layers.MultiHeadAttention(6, 3, name="mha"), mesh(4), "`num_heads` of mha must be divisible by the 4.*=6"),
        (layers.FeedForward(8), mesh(4, "other"), r"`axis` must be an axis.*\['batch', 'other'\].*axis='model'"),
        (None, mesh(4), "`model` must be built"),
    ],
)
def test_refused(model, given, message):
    if model is None:
        model = layers.FeedForward(8)
    else:
        model.build((None, 5, 7))
    with pytest.raises(ValueError, match=message):
        models.layout_map(model, given)


@pytest.fixture(scope="module")
def sharded():
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    run = [sys.executable, "-m", "tests.models.sharded"]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


needs_jax = pytest.mark.skipif(BACKEND != "jax", reason="other backends ignore a distribution")


@needs_jax
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["transformer, layouts", "transformer, data 2", "transformer, data 8", "encoder, layouts", "sagan, layouts"]
)
def test_steps_are_those_of_one_device(name, sharded):
    found = sharded[name]
    assert found["losses"] < 1e-5 and found["weights"] < 1e-5
    assert bool(found["split"]) == ("layouts" in name)


@needs_jax
@pytest.mark.slow
def test_weights_are_split_as_stated(sharded):
    split = {path: tuple(spec) for path, spec in sharded["encoder, layouts"]["split"].items()}
    expected = {k: v for b in ("block0", "block1") for k, v in heads(f"{b}/self_attention", biases=True).items()}
    assert split == expected | {k: v for b in ("block0", "block1") for k, v in hidden(f"{b}/feed_forward").items()}
    assert len(sharded["transformer, layouts"]["split"]) == 19
    assert len(sharded["sagan, layouts"]["split"]) == 2 + 8 + 1, "the attentions of both networks have one name"


@needs_jax
@pytest.mark.slow
def test_one_sum_for_a_sub_layer_and_direction(sharded):
    """Of the gradient's five, two belong to the forward pass and one adds up the gradients of the batch."""
    assert sharded["collectives"] == [{"all-reduce": 2}, {"all-reduce": 5}]
