"""The model of the tests of other runtimes: a Transformer from strings to strings."""

import numpy as np
import tensorflow as tf

from keras_attention import decoding
from keras_attention.export import export_saved_model
from keras_attention.models import transformer

LETTERS = "abcdefgh"
START, END, FIRST = 1, 2, 3
READ, WRITE = 12, 6


def writer():
    """A tiny Transformer over letters, with random weights that give different outputs for different texts."""
    model = transformer(FIRST + len(LETTERS), num_layers=1, model_dim=8, num_heads=2, intermediate_dim=12, dropout=0.0)
    rng = np.random.default_rng(7)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(weight + 0.2 * rng.standard_normal(weight.shape))
        else:
            weight.assign(
                rng.standard_normal(weight.shape) / (1 if "embedding" in weight.path else weight.shape[0] ** 0.5)
            )
    return model


def string_signature(model):
    """Signature texts [B] -> texts [B]: a lookup table, the decoding loop, a second lookup table.

    Unknown letters are skipped; a text may be empty.
    """
    letters, ids = list(LETTERS), list(range(FIRST, FIRST + len(LETTERS)))
    to_id = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(letters, tf.constant(ids, tf.int32)), 0)
    to_letter = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(tf.constant(ids, tf.int32), letters), "")

    def write(text):
        source = tf.ragged.map_flat_values(to_id.lookup, tf.strings.unicode_split(text, "UTF-8"))
        source = tf.ragged.boolean_mask(source, source > 0).to_tensor(shape=[None, READ])
        start = tf.fill([tf.shape(text)[0]], START)
        tokens = decoding.greedy(model.step, model.start(source, WRITE), start, WRITE, END)
        return {"text": tf.strings.reduce_join(to_letter.lookup(tokens), axis=-1), "tokens": tokens}

    return write, [tf.TensorSpec([None], tf.string, name="text")]


def export_writer(directory):
    """The Transformer and the path of its export, with a signature `write`; the tests compare its outputs."""
    model = writer()
    return model, export_saved_model(model, directory, signatures={"write": string_signature(model)}, verify=False)
