import os

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import export_saved_model
from keras_attention.export.warm_up import PLACE, warm_up_requests
from tests.export import models


def double(text):
    return {"twice": tf.strings.join([text, text])}


SIGNATURES = {"double": (double, [tf.TensorSpec([None], tf.string)])}


def test_the_stored_requests_run_as_a_server_reads_them(tmp_path):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    model, [ids] = models.table(), models.tokens(4)
    first = {"tokens": ids, "tokens_lengths": [4]}
    warm_up = {"serving_default": [first, {"tokens": ids[:, :2], "tokens_lengths": [1]}], "double": {"text": [b"a\0b"]}}
    path = export_saved_model(model, tmp_path, signatures=SIGNATURES, warm_up=warm_up, verify=False)
    served = tf.saved_model.load(str(path)).signatures
    answers = []
    for record in tf.data.TFRecordDataset(str(path.joinpath(*PLACE))):
        request = logs.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        answers.append(served[request.model_spec.signature_name](**inputs))
    np.testing.assert_allclose(answers[0]["outputs"], model(ids), atol=1e-6)
    np.testing.assert_allclose(answers[1]["outputs"], model(ids[:, :1]), atol=1e-6)
    assert answers[2]["twice"].numpy() == [b"a\0ba\0b"] and len(answers) == 3


@pytest.mark.parametrize(
    ("warm_up", "message"),
    [
        ({"double": {"words": ["a"]}}, r"`warm_up\['double'\]` must hold an array for each of \['text'\]"),
        ({"half": {"text": ["a"]}}, "names an unknown signature: 'half'"),
        ({"double": {"text": [["a"]]}}, "cannot run on its inputs in `warm_up`"),
        ({"double": {"text": [1.5]}}, "cannot run on its inputs in `warm_up`"),
        ({"double": ["a"]}, "`warm_up` must be a dict"),
        ([], "`warm_up` must be a dict"),
        ({"double": [{"text": ["a"]}] * 1001}, "at most 1000 requests. Received: 1001"),
    ],
)
def test_requests_that_no_signature_takes_raise_errors(tmp_path, warm_up, message):
    pytest.importorskip("tensorflow_serving")
    with pytest.raises(ValueError, match=message):
        export_saved_model(models.table(), tmp_path, signatures=SIGNATURES, warm_up=warm_up, verify=False)
    assert os.listdir(tmp_path) == []


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"-m pip .*install 'keras-attention-layers\[serving\]'"):
        warm_up_requests({"double": {"text": ["a"]}})
    assert warm_up_requests(None) == []
