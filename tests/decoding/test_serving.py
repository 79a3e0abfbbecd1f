"""The decoders inside a SavedModel; tests/export/test_other_runtimes.py runs one without Keras."""

import keras
import numpy as np
import pytest

from keras_attention import decoding
from tests.decoding import toy

V, L, END = 4, 4, 2


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel needs the TensorFlow backend")
# tests/export/test_other_runtimes.py serves such a model without Python.
@pytest.mark.slow
def test_saved_model_decodes_any_batch_without_python_and_xla_ops(tmp_path):
    import tensorflow as tf

    from keras_attention.export import saved_model_ops

    module = tf.Module()
    module.seed = keras.random.SeedGenerator(3)
    module.seed_state = module.seed.state.value

    def decode(table):
        start, cache = tf.zeros_like(table[:, 0, 0], "int32"), toy.new_cache(table, L)
        beams, scores = decoding.beam_search(toy.step, cache, start, L, END, beam_size=3)
        sampled = decoding.sample(toy.step, cache, start, L, END, top_k=3, top_p=0.9, seed=module.seed)
        return {
            "greedy": decoding.greedy(toy.step, cache, start, L, END),
            "beams": beams,
            "scores": scores,
            "sampled": sampled,
        }

    tables = [toy.tables(5, V, L), toy.tables(2, V, L)]
    specs = [tf.TensorSpec((None, *tables[0].shape[1:]), name="table")]
    module.serve = tf.function(decode, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    assert not [op for op in saved_model_ops(tmp_path) if op.startswith("Xla") or "PyFunc" in op]
    serve = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    for table in tables:
        answer, here = serve(table=tf.constant(table)), decode(tf.constant(table))
        np.testing.assert_array_equal(answer["greedy"], here["greedy"])
        np.testing.assert_array_equal(answer["beams"], here["beams"])
        np.testing.assert_allclose(answer["scores"], here["scores"], rtol=1e-5)
        assert answer["sampled"].shape == (len(table), L)
