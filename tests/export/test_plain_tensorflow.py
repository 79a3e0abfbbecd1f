"""The export runs in a fresh process that has TensorFlow alone: no Keras, nothing of this library."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import export_saved_model
from tests.export import exported, models

SERVE = """
import json, sys

# TensorFlow imports Keras by itself where it finds it: here it finds neither Keras nor this library.
strangers = {"keras": None, "tf_keras": None, "keras_attention": None}
sys.modules.update(strangers)
import tensorflow as tf

requests, answers = json.load(sys.stdin), []
loaded = {path: tf.saved_model.load(path) for path in {path for path, _, _ in requests}}
for path, name, inputs in requests:
    function = loaded[path].signatures[name]
    specs = function.structured_input_signature[1]
    outputs = function(**{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()})
    answers.append({key: value.numpy().tolist() for key, value in outputs.items()})
print(json.dumps(answers, default=bytes.decode))
assert {name for name in sys.modules if name.partition(".")[0] in strangers} == set(strangers)
"""
TEXTS = ["abc", "", "hgfedcba" * 3, "zz \u2603", "cab"]
TOKENS = models.tokens(2, 6)
SOURCES, TARGETS = models.tokens(4, 7), models.tokens(5, 3, seed=2)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    model = exported.classifier()
    return model, export_saved_model(model, tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def answers(classifier, writer, tmp_path_factory):
    """What one fresh process answers to all requests, by way of JSON as over REST."""
    source, target = (models.as_a_batcher(*rows).tolist() for rows in (SOURCES, TARGETS))
    logits = {"source": source, "source_lengths": [4, 7], "target": target, "target_lengths": [5, 3]}
    requests = {
        "classes": (classifier[1], {"tokens": models.as_a_batcher(*TOKENS).tolist(), "tokens_lengths": [2, 6]}),
        "logits": (writer[1], logits),
        "write": (writer[1], {"text": TEXTS}),
    }
    sent = [(str(p), "write" if kind == "write" else "serving_default", x) for kind, (p, x) in requests.items()]
    folder = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(command, input=json.dumps(sent), capture_output=True, text=True, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    return {kind: {key: np.array(x) for key, x in answer.items()} for kind, answer in zip(requests, found, strict=True)}


def test_our_attention(classifier, answers):
    model, _ = classifier
    expected = np.concatenate([model(row) for row in TOKENS])
    np.testing.assert_allclose(answers["classes"]["outputs"], expected, atol=1e-6)


def test_the_logits_of_the_transformer(writer, answers):
    model, _ = writer
    for row, source, target in zip(answers["logits"]["outputs"], SOURCES, TARGETS, strict=True):
        alone = model({"source": source, "target": target})
        np.testing.assert_allclose(row[None, : target.shape[1]], alone, atol=1e-5)


def test_what_the_transformer_writes(writer, answers):
    model, _ = writer
    out = answers["write"]
    write, _ = exported.string_signature(model)
    expected = write(tf.constant(TEXTS))
    np.testing.assert_array_equal(out["tokens"], expected["tokens"])
    assert out["text"].tolist() == [text.decode() for text in expected["text"].numpy()]
    assert len(set(out["text"])) > 2, "a writer that always writes the same tests nothing"
    assert write(tf.constant(["cab"]))["text"].numpy() == [out["text"][4].encode()], "the batch must not matter"
