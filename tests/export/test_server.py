"""Clients of two models at once, through gRPC and REST, while a version changes and wrong requests come in between."""

import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import export_saved_model, serving
from tests.export import exported, models

grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models: a translator from ids and strings, and a classifier."""
    folder = tmp_path_factory.mktemp("served")
    writer, classifier = exported.writer(), models.classifier()
    given = exported.START, exported.END, exported.WRITE
    signatures = {"translate": serving.translation(writer, *given)["translate"]}
    signatures["write"] = exported.string_signature(writer)
    export_saved_model(writer, folder / "writer", signatures=signatures, verify=False)
    export_saved_model(classifier, folder / "classifier", verify=False)
    return folder


class Client:
    def __init__(self, grpc_port, rest_port):
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self.stub, self.rest = prediction_service_pb2_grpc.PredictionServiceStub(channel), rest_port

    def by_grpc(self, model, signature, inputs):
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        answer = self.stub.Predict(request, timeout=180)
        return {key: tf.make_ndarray(value) for key, value in answer.outputs.items()}

    def by_rest(self, model, signature, inputs):
        plain = {key: np.array(value).astype(str if key == "text" else int).tolist() for key, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": plain}).encode()
        url = f"http://127.0.0.1:{self.rest}/v1/models/{model}:predict"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=180) as answer:
            outputs = json.loads(answer.read())["outputs"]
        return {key: np.array(value) for key, value in outputs.items()}


@pytest.fixture(scope="module")
def client(folder):
    command = [sys.executable, pathlib.Path(__file__).with_name("server.py"), folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Client(*map(int, process.stdout.readline().split()))
        process.stdin.close()
        process.wait(timeout=60)


def requests(folder):
    """Different requests (model, signature, inputs, expected outputs); `None` for a wrong one."""
    rng = np.random.default_rng(5)
    served = {name: tf.saved_model.load(str(folder / name / "1")) for name in ("writer", "classifier")}
    made = []
    for length in (1, 2, 3, 5, 7, 9):
        ids = rng.integers(1, 11, (1, length)).astype("int32")
        made.append(("classifier", "serving_default", {"tokens": ids, "tokens_lengths": np.array([length], "int32")}))
        source = {"source": ids, "source_lengths": np.array([length], "int32")}
        made += [
            ("writer", "translate", source),
            ("writer", "write", {"text": np.array(["abcdefgh"[:length]], object)}),
        ]
    answers = []
    for model, signature, inputs in made:
        function = served[model].signatures[signature]
        tensors = {key: tf.constant(value.tolist() if key == "text" else value) for key, value in inputs.items()}
        answers.append({key: value.numpy() for key, value in function(**tensors).items()})
    good = [(*request, answer) for request, answer in zip(made, answers, strict=True)]
    wrong = {"source": np.array([[3, 99]], "int32"), "source_lengths": np.array([2], "int32")}
    return [*good, ("writer", "translate", wrong, None), ("classifier", "serving_default", {"tokens": [[1]]}, None)]


def mistake(client, number, request):
    """What is wrong with the answer to a request, by gRPC or REST; `None` if nothing is."""
    model, signature, inputs, expected = request
    try:
        answer = (client.by_rest if number % 3 == 0 else client.by_grpc)(model, signature, inputs)
    except (grpc.RpcError, urllib.error.HTTPError) as error:
        return None if expected is None else f"{model} {signature}: {error}"
    if expected is None:
        return f"{model} {signature}: a wrong request was answered"
    for key, value in expected.items():
        got = answer[key]
        if value.dtype == object:
            got = np.array([x.encode() if isinstance(x, str) else x for x in got.tolist()], object)
            equal = (got == value).all()
        else:
            equal = np.allclose(got, value, atol=1e-5)
        if not equal:
            return f"{model} {signature}: {got} for {value}"
    return None


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_request_is_lost_or_mixed_up(folder, client, count):
    """In the middle, a version with the same weights replaces the first."""
    asked = requests(folder)
    order = np.random.default_rng(count).integers(0, len(asked), count)
    with futures.ThreadPoolExecutor(32) as pool:
        answers = [pool.submit(mistake, client, i, asked[k]) for i, k in enumerate(order[: count // 2])]
        if not (folder / "classifier" / "2").exists():
            export_saved_model(models.classifier(), folder / "classifier", verify=False)
        answers += [pool.submit(mistake, client, i, asked[k]) for i, k in enumerate(order[count // 2 :])]
        mistakes = [found for answer in answers if (found := answer.result(timeout=300))]
    assert len(answers) == count and not mistakes, (len(mistakes), mistakes[:3])
