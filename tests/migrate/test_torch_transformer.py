"""Blocks with weights of PyTorch's Transformer modules: their outputs and gradients, with all masks."""

import keras
import numpy as np
import pytest

from keras_attention import layers, migrate
from tests import goldens
from tests.migrate import torch_modules as modules

GOLDENS = {name: case for name, case in goldens.cases("torch_modules").items() if name in modules.TRANSFORMERS}
WEIGHTS = GOLDENS["encoder_layer"]["weights"]


@pytest.mark.parametrize("name", GOLDENS)
def test_matches_stored_outputs_of_torch(name):
    modules.check(name, GOLDENS[name], modules.convert(name, GOLDENS[name]["weights"]))


@pytest.mark.parametrize("name", modules.TRANSFORMERS)
def test_matches_torch(name):
    pytest.importorskip("torch")
    case = modules.run(name)
    modules.check(name, case, modules.convert(name, case["weights"]))


def test_structure_is_that_of_the_module():
    found = migrate.torch_transformer(GOLDENS["transformer"]["weights"], modules.N, epsilon=1e-3)
    kinds = {name: [type(layer) for layer in stack] for name, stack in found.items()}
    norm = keras.layers.LayerNormalization
    encoder, decoder = layers.TransformerEncoderBlock, layers.TransformerDecoderBlock
    assert kinds == {"encoder": [encoder, encoder, norm], "decoder": [decoder, decoder, norm]}
    assert found["encoder"][-1].epsilon == found["encoder"][0].epsilon == 1e-3


def test_arguments_are_passed_to_the_block():
    block = migrate.torch_transformer(WEIGHTS, 2, dropout=0.3, attention_dropout=0.2, activation="gelu")
    assert (block.num_heads, block.dropout, block.attention_dropout) == (2, 0.3, 0.2)
    assert (block.norm_first, block.epsilon, block.use_bias) == (False, 1e-5, True)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"linear1.weight": None}, "must have a `linear1.weight`"),
        ({"norm2.bias": None}, "must have a `norm2.bias`"),
        ({"self_attn.out_proj.weight": None}, "must have a `self_attn.out_proj.weight`"),
        ({"linear2.weight": np.ones((10, 6))}, r"`linear2.weight` must have the shape \(6, 10\). Received: \(10, 6\)"),
        ({"norm1.weight": np.ones(5)}, r"`norm1.weight` must have the shape \(6,\). Received: \(5,\)"),
        ({"norm3.weight": np.ones(6)}, "must only contain weights of the module. Received: norm3.weight"),
        ({"self_attn.bias_v": np.ones((1, 1, 6))}, "without `add_bias_kv`. Received: self_attn.bias_v"),
    ],
)
def test_wrong_weights_of_a_block_raise_errors(change, message):
    weights = {name: array for name, array in {**WEIGHTS, **change}.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        migrate.torch_transformer(weights, modules.N)


def test_wrong_weights_of_a_stack_raise_errors():
    weights = {f"layers.{i}.{name}": array for i in (0, 2) for name, array in WEIGHTS.items()}
    with pytest.raises(ValueError, match="must have a `layers.1.self_attn.out_proj.weight`"):
        migrate.torch_transformer(weights, modules.N)
    weights = {f"layers.0.{name}": array for name, array in WEIGHTS.items()}
    with pytest.raises(ValueError, match="must only contain weights of the module. Received: embedding.weight"):
        migrate.torch_transformer({**weights, "embedding.weight": np.ones((9, 6))}, modules.N)


@pytest.mark.parametrize("heads, message", [(4, "must divide 6, the width"), (0, "num_heads=0")])
def test_wrong_number_of_heads_raises_an_error(heads, message):
    with pytest.raises(ValueError, match=message):
        migrate.torch_transformer(WEIGHTS, heads)


def test_weights_of_another_network_raise_an_error():
    with pytest.raises(ValueError, match="must have a `self_attn.out_proj.weight`. Received: conv1.weight"):
        migrate.torch_transformer({"conv1.weight": np.ones((8, 3, 7, 7))}, modules.N)
    with pytest.raises(ValueError, match="must have a `self_attn.out_proj.weight`. Received: none"):
        migrate.torch_transformer({}, modules.N)
