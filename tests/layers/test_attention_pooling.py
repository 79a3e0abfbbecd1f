import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import pooling as reference

MASK = np.array([[True, True, False, True, False], [False, True, True, True, True], [False] * 5])


def weights(layer):
    """The weights by the names of the reference."""
    found = {"w": layer.hidden.kernel, "v": layer.vector, "b": layer.hidden.bias}
    found |= {"gate": layer.gate.kernel, "gate_b": layer.gate.bias} if layer.gated else {}
    return {name: numpy(x) for name, x in found.items() if x is not None}


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("gated", [False, True])
def test_is_the_published_equation(gated, use_bias):
    x = random(3, 5, 7)
    layer = noisy(layers.AttentionPooling(4, gated=gated, use_bias=use_bias), x)
    output, scores = layer(x, mask=MASK, return_attention_scores=True)
    for row in range(2):
        expected = reference.attention_pooling(x[row], real=MASK[row], **weights(layer))
        for found, value in zip((output[row], scores[row]), expected, strict=True):
            np.testing.assert_allclose(numpy(found), value, atol=1e-5)
    assert not numpy(output)[2].any() and not numpy(scores)[2].any()


def test_the_keras_mask_is_taken_and_ends_here():
    tokens = np.array([[5, 3, 0, 0], [2, 7, 4, 0]])
    embedding = keras.layers.Embedding(9, 6, mask_zero=True)
    layer = noisy(layers.AttentionPooling(3), keras.Input((4, 6)))
    inputs = keras.Input((None,), dtype="int32")
    output = layer(embedding(inputs))
    assert getattr(output, "_keras_mask", None) is None
    found = numpy(keras.Model(inputs, output)(tokens))
    expected = layer(numpy(embedding(tokens)), mask=tokens != 0)
    np.testing.assert_allclose(found, numpy(expected), atol=1e-6)
    assert np.abs(found - numpy(layer(numpy(embedding(tokens))))).max() > 1e-2


def test_the_two_kernels_are_initialized_independently():
    layer = layers.AttentionPooling(4, gated=True)
    layer.build((None, None, 4))
    assert np.abs(numpy(layer.hidden.kernel) - numpy(layer.gate.kernel)).max() > 1e-2


def test_lora_reaches_both_kernels():
    x = random(2, 5, 6)
    layer = noisy(layers.AttentionPooling(4, gated=True), x)
    layer.enable_lora(2)
    assert sorted(w.path.rpartition("/")[2] for w in layer.trainable_variables if "lora" in w.path) == [
        *["lora_kernel_a"] * 2,
        *["lora_kernel_b"] * 2,
    ]


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"\[B, T, C\].*\(2, 5\)"):
        layers.AttentionPooling(4)(random(2, 5))
    with pytest.raises(ValueError, match="a known C"):
        layers.AttentionPooling(4).build((2, 5, None))
