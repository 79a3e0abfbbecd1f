"""A model server in a process of its own: gRPC and REST over SavedModels, batching as TensorFlow Serving does.

    python server.py FOLDER        # prints the ports of gRPC and REST, and serves until its input ends

FOLDER/<model>/<version>: the highest version is served; a new one is loaded when a request finds it. Keras and this
library cannot be imported in it. Where a merged batch fails, its requests run again one by one (TensorFlow Serving
fails them all).
"""

import http.server
import json
import pathlib
import queue
import sys
import threading
from concurrent import futures

if __name__ == "__main__":
    sys.modules.update({"keras": None, "tf_keras": None, "keras_attention": None})

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

BATCH, WAIT = 16, 0.002
FOLDER = pathlib.Path(sys.argv[-1])
loaded, loading = {}, threading.Lock()


def newest(name):
    """The signatures of the highest version of a model."""
    version = max(int(path.name) for path in (FOLDER / name).iterdir() if path.name.isdigit())
    with loading:
        if loaded.get(name, (0,))[0] != version:
            loaded[name] = version, tf.saved_model.load(str(FOLDER / name / str(version)))
        return loaded[name][1].signatures


def padded(rows):
    """Merges arrays along the batch; each is padded along its other axes with its own first element."""
    sizes = np.max([row.shape[1:] for row in rows], axis=0).astype(int) if rows[0].ndim > 1 else ()
    merged = []
    for row in rows:
        wide = np.full((row.shape[0], *sizes), row.reshape(-1)[0], row.dtype)
        wide[tuple(slice(n) for n in row.shape)] = row
        merged.append(wide)
    return np.concatenate(merged)


class Batcher:
    """Merges the requests of one signature that arrive within a short time."""

    def __init__(self, name, signature):
        self.name, self.signature, self.waiting = name, signature, queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def __call__(self, inputs):
        answer = futures.Future()
        self.waiting.put((inputs, answer))
        return answer.result(timeout=120)

    def _run(self):
        while True:
            batch = [self.waiting.get()]
            while len(batch) < BATCH:
                try:
                    batch.append(self.waiting.get(timeout=WAIT))
                except queue.Empty:
                    break
            try:
                outputs = self._call({key: padded([inputs[key] for inputs, _ in batch]) for key in batch[0][0]})
                start = 0
                for inputs, answer in batch:
                    stop = start + len(next(iter(inputs.values())))
                    answer.set_result({key: value[start:stop] for key, value in outputs.items()})
                    start = stop
            except Exception:
                for inputs, answer in batch:
                    self._answer_alone(inputs, answer)

    def _answer_alone(self, inputs, answer):
        try:
            answer.set_result(self._call(inputs))
        except Exception as alone:
            answer.set_exception(alone)

    def _call(self, inputs):
        function = newest(self.name)[self.signature]
        specs = function.structured_input_signature[1]
        if set(inputs) != set(specs):
            raise ValueError(f"the inputs of {self.signature} are {sorted(specs)}. Received: {sorted(inputs)}")
        outputs = function(**{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}


batchers = {}


def predict(name, signature, inputs):
    with loading:
        key = name, signature, tuple(sorted(inputs))
        if key not in batchers:
            batchers[key] = Batcher(name, signature)
    return batchers[key](inputs)


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request, context):  # noqa: N802
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            outputs = predict(request.model_spec.name, request.model_spec.signature_name or "serving_default", inputs)
        except Exception as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:500])
        response = predict_pb2.PredictResponse()
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


class Rest(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.split("/")[3].partition(":")[0]
        try:
            inputs = {key: np.array(value) for key, value in request["inputs"].items()}
            outputs = predict(name, request.get("signature_name", "serving_default"), inputs)
            self._send(200, {"outputs": {key: value.tolist() for key, value in outputs.items()}})
        except Exception as error:
            self._send(400, {"error": str(error)[:500]})

    def _send(self, status, answer):
        body = json.dumps(answer, default=bytes.decode).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(64))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    print(port, rest.server_address[1], flush=True)
    sys.stdin.read()
