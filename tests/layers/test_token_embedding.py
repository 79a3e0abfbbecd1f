import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random

IDS = np.array([[3, 0, 7], [1, 10, 0]], "int32")


def test_scaled_embeddings_and_logits_share_one_table():
    layer = noisy(layers.TokenEmbedding(11, 12), IDS)
    table = numpy(layer.embeddings)
    assert table.shape == (11, 12) and len(layer.weights) == 1
    np.testing.assert_allclose(numpy(layer(IDS)), table[IDS] * np.sqrt(12), rtol=1e-5)
    x = random(2, 3, 12)
    np.testing.assert_allclose(numpy(layer(x, reverse=True)), x @ table.T, atol=1e-5)
    np.testing.assert_allclose(numpy(layer(x[:, 0], reverse=True)), x[:, 0] @ table.T, atol=1e-5)


def test_scale_can_be_set():
    layer = noisy(layers.TokenEmbedding(11, 12, scale=1.0), IDS)
    np.testing.assert_allclose(numpy(layer(IDS)), numpy(layer.embeddings)[IDS])


def test_initial_rows_have_unit_variance_after_scaling():
    table = numpy(layers.TokenEmbedding(4000, 20)(np.arange(4000)))
    assert abs(table.std() - 1) < 0.02 and abs(table.mean()) < 0.02


def test_the_padding_mask_needs_mask_zero():
    ids = keras.Input((None,), dtype="int32")
    for mask_zero in (True, False):
        layer = layers.TokenEmbedding(11, 12, mask_zero=mask_zero)
        assert (getattr(layer(ids), "_keras_mask", None) is not None) == mask_zero
    mask = layers.TokenEmbedding(11, 12, mask_zero=True).compute_mask(IDS)
    np.testing.assert_array_equal(numpy(mask), [[True, False, True], [True, True, False]])


def test_large_ids_survive_half_precision():
    layer = layers.TokenEmbedding(4100, 3, dtype="mixed_float16", scale=1.0)
    rows = numpy(layer(np.array([4097, 4099], "int32"))).astype("float32")
    np.testing.assert_allclose(rows, numpy(layer.embeddings)[[4097, 4099]], rtol=1e-3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`input_dim`.*input_dim=0"):
        layers.TokenEmbedding(0, 12)
    with pytest.raises(ValueError, match="`output_dim`.*output_dim=1.5"):
        layers.TokenEmbedding(11, 1.5)
    with pytest.raises(ValueError, match="`output_dim`.*13"):
        layers.TokenEmbedding(11, 12)(keras.Input((None, 13)), reverse=True)
