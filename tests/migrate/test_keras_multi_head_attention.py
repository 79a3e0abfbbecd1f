"""Attention with arguments and weights of Keras's layers: outputs, scores, training, configuration."""

import keras
import numpy as np
import pytest

from keras_attention import layers, migrate
from tests.backend import numpy

B, T, S = 2, 5, 7
MHA, GQA = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
CASES = {
    "plain": lambda: MHA(3, 2),
    "sized": lambda: MHA(3, 2, value_dim=4, output_shape=9, use_bias=False),
    "grouped": lambda: GQA(4, 6, 2),
    "grouped_no_bias": lambda: GQA(4, 6, 3, use_bias=False),
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def built(layer):
    layer.build((None, None, 8), (None, None, 10), (None, None, 11))
    layer.set_weights([noise(*w.shape, seed=i) * 0.5 for i, w in enumerate(layer.get_weights())])
    return layer


@pytest.mark.parametrize("name", CASES)
def test_matches_keras(name):
    old = built(CASES[name]())
    new = migrate.keras_multi_head_attention(old)
    inputs = noise(B, T, 8), noise(B, S, 10), noise(B, S, 11)
    mask = np.random.default_rng(3).random((B, T, S)) < 0.6
    mask[..., 2] = True
    for given in ({}, {"attention_mask": mask}, {"use_causal_mask": True}):
        outputs = [layer(*inputs, return_attention_scores=True, **given) for layer in (new, old)]
        for found, expected in zip(*outputs, strict=True):
            np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-5, atol=1e-5)


def test_gate_and_window_of_newer_keras():
    if "use_gate" not in MHA(3, 2).get_config():
        pytest.skip("this version of Keras has neither")
    for old in (built(MHA(3, 2, use_gate=True, sliding_window=3)), built(GQA(4, 6, 2, use_gate=True))):
        new = migrate.keras_multi_head_attention(old)
        inputs = noise(B, T, 8), noise(B, S, 10), noise(B, S, 11)
        np.testing.assert_allclose(numpy(new(*inputs)), numpy(old(*inputs)), rtol=1e-5, atol=1e-5)


def test_images_with_attention_axes():
    old = MHA(3, 2, attention_axes=2)
    x = noise(B, 4, T, 8)
    old(x, x)
    old.set_weights([noise(*w.shape, seed=i) * 0.5 for i, w in enumerate(old.get_weights())])
    new = migrate.keras_multi_head_attention(old)
    np.testing.assert_allclose(numpy(new(x, x)), numpy(old(x, x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [MHA, lambda *sizes, **given: GQA(*sizes, 1, **given)])
def test_arguments_are_kept(make):
    given = {"dropout": 0.3, "seed": 5, "kernel_regularizer": keras.regularizers.L2(0.1), "bias_constraint": "non_neg"}
    old = built(make(3, 2, name="old", dtype="mixed_bfloat16", trainable=False, **given))
    new = migrate.keras_multi_head_attention(old)
    assert type(new) is layers.MultiHeadAttention
    assert (new.name, new.dtype_policy.name, new.trainable) == ("old", "mixed_bfloat16", False)
    for name, value in old.get_config().items():
        renamed = {"head_dim": "key_dim", "num_query_heads": "num_heads"}.get(name, name)
        assert new.get_config()[renamed] == value, name


def test_mask_of_a_shared_tensor_is_kept():
    """Two layers attend to one masked tensor; Keras 3.15 deletes its mask in the first."""
    ids, tokens = keras.Input((None,), dtype="int32"), np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]])
    x = keras.layers.Embedding(9, 8, mask_zero=True)(ids)
    first, _ = MHA(3, 2)(x, x, return_attention_scores=True)
    old = keras.Model(ids, MHA(3, 2)(first, x, return_attention_scores=True)[1])

    def convert(layer):
        if isinstance(layer, MHA):
            return migrate.keras_multi_head_attention(layer)
        return layer.from_config(layer.get_config())

    new = keras.models.clone_model(old, clone_function=convert)
    new.set_weights(old.get_weights())
    scores = numpy(new(tokens))
    assert not scores[0, ..., 3:].any() and not scores[1, ..., 4:].any()
    np.testing.assert_allclose(scores[0, :, :3].sum(-1), 1, atol=1e-6)


def quantized():
    query, value = keras.Input((None, 8)), keras.Input((None, 10))
    layer = MHA(3, 2)
    model = keras.Model([query, value], layer(query, value))
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize("int8")
    return layer


def adapted():
    layer = built(MHA(3, 2))
    layer.value_dense.enable_lora(2)
    return layer


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: MHA(3, 2), "must be built"),
        (lambda: keras.layers.Attention(), "must be a keras.layers.MultiHeadAttention or .*Received: Attention"),
        (lambda: type("Mine", (MHA,), {})(3, 2), "Received: Mine"),
        (quantized, "must be neither quantized nor adapted.*kernel_scale"),
        (adapted, "must be neither quantized nor adapted.*value/lora_kernel_a"),
    ],
)
def test_other_layers_raise_errors(make, message):
    with pytest.raises(ValueError, match=message):
        migrate.keras_multi_head_attention(make())


def test_becomes_attention_of_torch():
    old = MHA(3, 2)
    old.build((None, None, 6), (None, None, 6))
    assert set(migrate.to_torch(migrate.keras_multi_head_attention(old))) == {
        *("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    }
