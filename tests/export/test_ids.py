import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import export_saved_model
from keras_attention.export.ids import require_ids, require_known_ids
from keras_attention.export.signatures import own_signature
from tests.export import models


def test_ids_outside_of_the_vocabulary_are_errors_when_the_graph_runs():
    check = tf.function(lambda ids: require_ids(ids, "tokens", 5), input_signature=[tf.TensorSpec(None, tf.int32)])
    np.testing.assert_array_equal(check([[0, 4]]), [[0, 4]])
    assert check(tf.zeros((0, 3), tf.int32)).shape == (0, 3)
    for wrong in ([3, 5], [-1, 2]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`tokens` must be from 0 to 4"):
            check(wrong)
    assert require_known_ids({"tokens": 5}, "anything", "other") == "anything"


class Known(keras.Model):
    """A functional model that states its vocabulary."""

    vocabularies = {"tokens": 11}


def test_exported_models_check_the_ids_within_their_lengths(tmp_path):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(11, 3, mask_zero=True)(tokens)
    model = models.noisy(Known(tokens, keras.layers.GlobalAveragePooling1D()(x)))
    serve = tf.saved_model.load(str(export_saved_model(model, tmp_path))).signatures["serving_default"]
    ids, lengths = tf.constant([[4, 9, -7], [10, 99, 99]]), tf.constant([2, 1])
    out = serve(tokens=ids, tokens_lengths=lengths)["outputs"]
    np.testing.assert_allclose(out[0], model(np.array([[4, 9]]))[0], atol=1e-6)
    for lengths in ([3, 1], [2, 2]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`tokens` must be from 0 to 10"):
            serve(tokens=ids, tokens_lengths=tf.constant(lengths))


def test_rows_of_length_zero_are_defined():
    """Keras's mean over nothing is NaN."""
    model, rows = models.table(), models.tokens(4, 4, 4)
    ids = tf.constant(np.concatenate(rows))
    assert np.isnan(model(tf.zeros((1, 4), tf.int32))).all()
    out = own_signature(model)(tokens=ids, tokens_lengths=tf.constant([0, 4, -3]))["outputs"]
    np.testing.assert_array_equal(out[0], np.zeros(3))
    np.testing.assert_array_equal(out[2], np.zeros(3))
    np.testing.assert_allclose(out[1], model(rows[1])[0], atol=1e-6)
    # A NaN of a row that is not empty is no business of the export.
    broken = keras.Sequential([model, keras.layers.Lambda(lambda x: x / 0.0 * 0.0)])
    out = own_signature(broken)(inputs=ids, inputs_lengths=tf.constant([0, 4, 1]))["outputs"]
    assert np.isnan(out[1:]).all() and not np.isnan(out[0]).any()
