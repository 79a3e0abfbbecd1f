"""Blocks with weights of KerasHub's layers: their outputs, with all masks."""

import keras
import numpy as np
import pytest

from keras_attention import migrate
from tests.backend import numpy

D, N, F, B, T, S = 8, 2, 11, 2, 5, 7


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub").layers


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def masks(*shapes):
    found = [np.random.default_rng(i).random(shape) < 0.6 for i, shape in enumerate(shapes)]
    for mask in found:
        mask[..., 0] = True
    return found


def built(layer, *shapes):
    layer.build(*((None, None, width) for width in shapes))
    layer.set_weights([noise(*w.shape, seed=i) * 0.5 for i, w in enumerate(layer.get_weights())])
    return layer


@pytest.mark.parametrize(
    "given", [{}, {"normalize_first": True, "activation": "gelu", "layer_norm_epsilon": 1e-2}, {"num_heads": 3}]
)
def test_matches_keras_hub(hub, given):
    given = {"num_heads": N, **given}
    x, memory = noise(B, T, D, seed=1), noise(B, S, 6, seed=2)
    seen, mask, memory_seen, memory_mask = masks((B, T), (B, T, T), (B, S), (B, T, S))
    old = built(hub.TransformerEncoder(F, **given), D)
    outputs = [old(x, seen, mask), migrate.keras_hub_transformer(old)(x, seen, mask)]
    np.testing.assert_allclose(*(numpy(y)[seen] for y in outputs), rtol=1e-5, atol=1e-5)
    old = built(hub.TransformerDecoder(F, **given), D, 6)
    new = migrate.keras_hub_transformer(old)
    ours = {"inputs_mask": seen, "attention_mask": mask, "memory_mask": memory_seen}
    outputs = [old(x, memory, seen, mask, memory_seen, memory_mask)]
    outputs.append(new(x, memory, memory_attention_mask=memory_mask, **ours))
    np.testing.assert_allclose(*(numpy(y)[seen] for y in outputs), rtol=1e-5, atol=1e-5)


def test_a_decoder_without_cross_attention_becomes_a_block_without_a_memory(hub):
    x, [seen] = noise(B, T, D, seed=1), masks((B, T))
    old = built(hub.TransformerDecoder(F, N, normalize_first=True), D)
    new = migrate.keras_hub_transformer(old)
    assert new.memory_attention is None
    outputs = [old(x, decoder_padding_mask=seen), new(x, inputs_mask=seen)]
    np.testing.assert_allclose(*(numpy(y)[seen] for y in outputs), rtol=1e-5, atol=1e-5)


def test_arguments_are_kept(hub):
    old = hub.TransformerEncoder(F, N, dropout=0.3, normalize_first=True, name="old", dtype="mixed_bfloat16")
    new = migrate.keras_hub_transformer(built(old, D))
    assert (new.name, new.dtype_policy.name, new.norm_first) == ("old", "mixed_bfloat16", True)
    assert (new.dropout, new.attention_dropout, new.epsilon, new.use_bias) == (0.3, 0.3, 1e-5, True)


def test_other_layers_raise_errors(hub):
    with pytest.raises(ValueError, match="must be built"):
        migrate.keras_hub_transformer(hub.TransformerEncoder(F, N))
    with pytest.raises(ValueError, match="no subclass. Received: .*Mine"):
        migrate.keras_hub_transformer(type("Mine", (hub.TransformerEncoder,), {})(F, N))
    old = built(hub.TransformerEncoder(F, N), D)
    old._feedforward_output_dense.quantize("int8")
    with pytest.raises(ValueError, match="must be neither quantized nor adapted.*kernel_scale"):
        migrate.keras_hub_transformer(old)


def test_layer_of_another_library_raises_an_error():
    with pytest.raises(ValueError, match="of keras_hub.layers, and no subclass. Received: keras.*Dense"):
        migrate.keras_hub_transformer(keras.layers.Dense(3))
