"""The decoders inside a SavedModel, in a process that knows TensorFlow and nothing else."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_attention import decoding
from tests.decoding import toy

V, L, END = 4, 4, 2
SERVE = """
import json, sys
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert "keras_attention" not in sys.modules
for rows in json.load(sys.stdin):
    outputs = model.signatures["serving_default"](table=tf.constant(rows, tf.float32))
    print(json.dumps({name: value.numpy().tolist() for name, value in outputs.items()}))
ops = {n.op for f in model.signatures["serving_default"].graph.as_graph_def().library.function for n in f.node_def}
print(json.dumps(sorted(op for op in ops if op.startswith("Xla"))))
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")
def test_plain_tensorflow_decodes_any_batch_without_xla(tmp_path):
    import tensorflow as tf

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
    module.serve = tf.function(decode, input_signature=[tf.TensorSpec((None, *tables[0].shape[1:]), name="table")])
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.serve)
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path / "1")],
        input=json.dumps([t.tolist() for t in tables]),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert not done.returncode, done.stderr
    *answers, xla_ops = map(json.loads, done.stdout.splitlines())
    assert xla_ops == []
    for table, answer in zip(tables, answers):
        here = decode(tf.constant(table))
        np.testing.assert_array_equal(answer["greedy"], here["greedy"])
        np.testing.assert_array_equal(answer["beams"], here["beams"])
        np.testing.assert_allclose(np.float32(answer["scores"]), here["scores"], rtol=1e-5)
        assert np.shape(answer["sampled"]) == (len(table), L)
