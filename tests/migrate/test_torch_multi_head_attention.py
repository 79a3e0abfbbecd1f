"""Attention with weights of `torch.nn.MultiheadAttention`: its outputs and gradients, with both masks."""

import numpy as np
import pytest

from keras_attention import migrate
from tests import goldens
from tests.backend import numpy
from tests.migrate import torch_modules as modules

GOLDENS = {name: case for name, case in goldens.cases("torch_modules").items() if name in modules.ATTENTIONS}
WEIGHTS = GOLDENS["fused"]["weights"]


@pytest.mark.parametrize("name", GOLDENS)
def test_matches_stored_outputs_of_torch(name):
    modules.check(name, GOLDENS[name], modules.convert(name, GOLDENS[name]["weights"]))


@pytest.mark.parametrize("name", modules.ATTENTIONS)
def test_matches_torch(name):
    pytest.importorskip("torch")
    case = modules.run(name)
    modules.check(name, case, modules.convert(name, case["weights"]))


def test_bias_and_scores_match_torch():
    """A floating mask of each head, and scores of each head."""
    torch = pytest.importorskip("torch")
    module, found = modules.make("separate"), modules.inputs("separate")
    rng, shape = np.random.default_rng(6), (modules.B, modules.N, modules.T, modules.S)
    bias = rng.standard_normal(shape).astype("float32")
    bias[rng.random(shape) < 0.3] = -np.inf
    bias[..., 1] = 0
    inputs = [torch.from_numpy(found[name]) for name in ("query", "key", "value")]
    given = {"attn_mask": torch.from_numpy(bias.reshape(-1, *shape[2:])), "average_attn_weights": False}
    with torch.no_grad():
        expected = module(*inputs, **given)
    layer = modules.convert("separate", {name: weight.numpy() for name, weight in module.state_dict().items()})
    inputs = found["query"], found["value"], found["key"]
    outputs = layer(*inputs, attention_bias=bias, return_attention_scores=True)
    for ours, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(numpy(ours), theirs.numpy(), rtol=1e-5, atol=1e-5)


def test_arguments_are_passed_to_the_layer():
    layer = migrate.torch_multi_head_attention(WEIGHTS, 2, dropout=0.3, name="old")
    assert (layer.num_heads, layer.key_dim, layer.dropout, layer.name) == (2, 3, 0.3, "old")


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"in_proj_weight": None},
            "must have a `q_proj_weight` or `in_proj_weight`. Received: in_proj_bias, out",
        ),
        ({"out_proj.weight": None}, "must have a `out_proj.weight`"),
        ({"in_proj_bias": None}, "must have a `in_proj_bias`. Received: .*k_proj_weight"),
        ({"out_proj.bias": None}, "must have a `out_proj.bias`"),
        ({"in_proj_bias": np.ones(19)}, r"`in_proj_bias` must have rows for queries, keys and values. Received: .19,."),
        ({"in_proj_bias": np.ones(15)}, r"`in_proj_bias` must have the shape \(6,\). Received: \(5,\)"),
        ({"out_proj.weight": np.ones((5, 6))}, r"`out_proj.weight` must have the shape \(6, 6\). Received: \(5, 6\)"),
        ({"out_proj.bias": np.ones((6, 1))}, r"`out_proj.bias` must have 1 axes. Received: \(6, 1\)"),
        ({"in_proj_weight": np.ones(18)}, r"`q_proj_weight` must have 2 axes. Received: \(6,\)"),
        ({"bias_k": np.ones((1, 1, 6))}, "must be of attention without `add_bias_kv`. Received: bias_k"),
        ({"linear1.weight": np.ones((5, 6))}, "must only contain weights of the module. Received: linear1.weight"),
    ],
)
def test_wrong_weights_raise_errors(change, message):
    weights = {name: array for name, array in {**WEIGHTS, **change}.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        migrate.torch_multi_head_attention(weights, modules.N)


@pytest.mark.parametrize(
    "heads, message", [(4, "must divide 6, the width"), (0, "num_heads=0"), ("3", "num_heads='3'")]
)
def test_wrong_number_of_heads_raises_an_error(heads, message):
    with pytest.raises(ValueError, match=message):
        migrate.torch_multi_head_attention(WEIGHTS, heads)


def test_list_of_weights_raises_an_error():
    with pytest.raises(ValueError, match="mapping of names to arrays.*Received: list"):
        migrate.torch_multi_head_attention(list(WEIGHTS.values()), modules.N)
