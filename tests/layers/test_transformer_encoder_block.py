import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import numpy, random
from tests.models.helpers import block_weights, noisy
from tests.reference import transformer as reference

X = random(2, 5, 12)
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)


def block(**arguments):
    layer = layers.TransformerEncoderBlock(3, 20, key_dim=5, value_dim=7, **arguments)
    layer(X)
    return noisy(layer)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_is_the_block_of_the_paper(norm_first, use_bias):
    layer = block(norm_first=norm_first, use_bias=use_bias)
    output = numpy(layer(X, mask=MASK))
    for i in range(2):
        expected = reference.encoder_block(X[i], block_weights(layer), MASK[i], norm_first)
        np.testing.assert_allclose(output[i][MASK[i]], expected[MASK[i]], atol=1e-4)


def test_keras_masks_are_used():
    layer = block()
    embedding = layers.TokenEmbedding(11, 12, mask_zero=True)
    ids = np.array([[3, 4, 5, 0, 0]])
    x = embedding(ids)
    y = layer(x)
    np.testing.assert_allclose(numpy(y), numpy(layer(numpy(x), mask=ids != 0)), atol=1e-6)
    assert layer(embedding(keras.Input((5,), dtype="int32")))._keras_mask is not None
    assert np.abs(numpy(y) - numpy(layer(numpy(x)))).max() > 1e-3
    # With a second tensor Keras calls the mask by another name.
    with_bias = layer(x, attention_bias=np.zeros((1, 1, 5, 5), "float32"))
    np.testing.assert_allclose(numpy(with_bias), numpy(y), atol=1e-6)


def test_attention_mask_causality_and_bias_reach_the_attention():
    layer = block()
    later = np.triu(np.ones((5, 5), bool), 1)
    causal, scores = layer(X, use_causal_mask=True, return_attention_scores=True)
    assert (numpy(scores)[:, :, later] == 0).all()
    np.testing.assert_allclose(numpy(layer(X, attention_mask=~later)), numpy(causal), atol=1e-5)
    bias = np.where(later, -1e9, 0)[None, None].astype("float32")
    np.testing.assert_allclose(numpy(layer(X, attention_bias=bias)), numpy(causal), atol=1e-5)
    assert np.abs(numpy(causal) - numpy(layer(X))).max() > 1e-3
    with pytest.raises(ValueError, match="attention_bias"):
        layer(X, attention_mask=later.astype("float32"))
