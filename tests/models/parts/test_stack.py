import keras
import numpy as np
import pytest

from keras_attention import layers
from keras_attention.models.parts.stack import Stack, make_norm, make_position
from tests.models.helpers import noisy, numpy


def stack(norm=None):
    block = layers.TransformerEncoderBlock(3, 20, dropout=0.0)
    embedding, position = layers.TokenEmbedding(11, 12), layers.SinusoidalPositionEncoding()
    return Stack(embedding, position, keras.layers.Dropout(0.5), [block], norm)


def test_applies_its_layers_in_sequence():
    s = stack(norm=make_norm())
    tokens = np.array([[3, 5, 0], [2, 1, 4]])
    mask = tokens != 0
    s(tokens, mask=mask)
    for layer in (s.embedding, s.blocks[0], s.norm):
        noisy(layer)
    expected = s.norm(s.blocks[0](s.position(s.embedding(tokens)), mask=mask))
    output, scores = s(tokens, mask=mask)
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)
    assert scores == []
    output, [scores] = s(tokens, mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), numpy(expected), atol=1e-5)
    assert tuple(scores.shape) == (2, 3, 3, 3)
    assert np.abs(numpy(s(tokens, mask=mask, training=True)[0]) - numpy(expected)).max() > 1e-2


def test_embed_starts_at_start_index():
    s = stack()
    tokens = np.array([[3, 5, 7, 1]])
    np.testing.assert_allclose(numpy(s.embed(tokens[:, 2:], start_index=2)), numpy(s.embed(tokens))[:, 2:], atol=1e-6)


def test_make_position_by_name():
    assert make_position(None) is None
    assert make_position("sinusoidal").variant == "paper"
    assert make_position("sinusoidal_reference", name="p").variant == "reference"
    assert make_position("learned", 9).max_length == 9
    with pytest.raises(ValueError, match="'learnt'"):
        make_position("learnt")
    with pytest.raises(ValueError, match="needs `max_length`"):
        make_position("learned")
