"""The export runs in a fresh process that has TensorFlow alone: no Keras, nothing of this library."""

import json
import subprocess
import sys

import numpy as np
import tensorflow as tf

from keras_attention.export import export_saved_model
from tests.export import exported, models

SERVE = """
import json, sys

# TensorFlow imports Keras by itself where it finds it: here it finds neither Keras nor this library.
strangers = {"keras": None, "tf_keras": None, "keras_attention": None}
sys.modules.update(strangers)
import tensorflow as tf

path, name, inputs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
function = tf.saved_model.load(path).signatures[name]
specs = function.structured_input_signature[1]
outputs = function(**{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()})
outputs = {key: value.numpy().tolist() for key, value in outputs.items()}
print(json.dumps(outputs, default=bytes.decode))
assert {name for name in sys.modules if name.partition(".")[0] in strangers} == set(strangers)
"""


def serve(path, name, **inputs):
    """The answer of a fresh process, by way of JSON as over REST."""
    command = [sys.executable, "-c", SERVE, str(path), name, json.dumps(inputs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=path)
    assert done.returncode == 0, done.stderr[-2000:]
    return {key: np.array(value) for key, value in json.loads(done.stdout).items()}


def test_our_attention(tmp_path):
    model = exported.classifier()
    path = export_saved_model(model, tmp_path)
    short, long = models.tokens(2, 6)
    merged = models.as_a_batcher(short, long).tolist()
    out = serve(path, "serving_default", tokens=merged, tokens_lengths=[2, 6])["outputs"]
    np.testing.assert_allclose(out, np.concatenate([model(short), model(long)]), atol=1e-6)


def test_the_logits_of_the_transformer(writer):
    model, path = writer
    sources, targets = models.tokens(4, 7), models.tokens(5, 3, seed=2)
    out = serve(
        path,
        "serving_default",
        source=models.as_a_batcher(*sources).tolist(),
        source_lengths=[4, 7],
        target=models.as_a_batcher(*targets).tolist(),
        target_lengths=[5, 3],
    )["outputs"]
    for row, source, target in zip(out, sources, targets, strict=True):
        alone = model({"source": source, "target": target})
        np.testing.assert_allclose(row[None, : target.shape[1]], alone, atol=1e-5)


def test_what_the_transformer_writes(writer):
    model, path = writer
    texts = ["abc", "", "hgfedcba" * 3, "zz \u2603", "cab"]
    out = serve(path, "write", text=texts)
    write = tf.function(exported.string_signature(model)[0])
    expected = write(tf.constant(texts))
    np.testing.assert_array_equal(out["tokens"], expected["tokens"])
    assert out["text"].tolist() == [text.decode() for text in expected["text"].numpy()]
    assert len(set(out["text"])) > 2, "a writer that always writes the same tests nothing"
    assert write(tf.constant(["cab"]))["text"].numpy() == [out["text"][4].encode()], "the batch must not matter"
