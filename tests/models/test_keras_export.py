"""Keras's own `model.export` of every network: equal, or an error where docs/other_runtimes.md says so."""

import keras
import numpy as np
import pytest

from tests.backend import BACKEND
from tests.layers.helpers import numpy
from tests.models.factories import INPUTS, NETWORKS, of_class

FAILS = {
    "onnx": {
        "RNNSearch",
        "ImageTransformer",
        "SelectionGANGenerator",
        "NonLocalResNet",
        "VisionTransformer",
        "BERT",
        "Whisper",
    },
    "litert": {"RNNSearch", "LuongLSTM", "ImageTransformer"},
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras exports to them from TensorFlow"),
    pytest.mark.filterwarnings("ignore"),  # of the converters
]


def inputs_of(name):
    """Arrays by input name; the one input of a network by the empty name."""
    given = INPUTS[name]
    return {key: np.asarray(x) for key, x in given.items()} if isinstance(given, dict) else {"": np.asarray(given)}


def chosen(arrays, name):
    """The array of an input, whose name in the file contains that of the model's."""
    return next(x for key, x in sorted(arrays.items(), reverse=True) if key in name)


def run_onnx(path, arrays):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    dtypes = {"tensor(int32)": "int32", "tensor(float)": "float32"}
    return session.run(None, {x.name: chosen(arrays, x.name).astype(dtypes[x.type]) for x in session.get_inputs()})


def run_litert(path, arrays):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    for x in interpreter.get_input_details():
        interpreter.resize_tensor_input(x["index"], chosen(arrays, x["name"]).shape)
    interpreter.allocate_tensors()
    for x in interpreter.get_input_details():
        interpreter.set_tensor(x["index"], chosen(arrays, x["name"]).astype(x["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(x["index"]) for x in interpreter.get_output_details()]


@pytest.mark.parametrize("form, run", [("onnx", run_onnx), ("litert", run_litert)])
@pytest.mark.parametrize("name", NETWORKS)
def test_exports_are_equal_or_fail(name, form, run, tmp_path):
    model, path = of_class(name), str(tmp_path / f"model.{'onnx' if form == 'onnx' else 'tflite'}")
    expected = [numpy(x) for x in keras.tree.flatten(model(INPUTS[name]))]
    try:
        model.export(path, format=form, verbose=False)
        found = run(path, inputs_of(name))
    except Exception:
        assert name in FAILS[form]
        return
    assert name not in FAILS[form], "works now: update docs/other_runtimes.md"
    for value in expected:
        alike = [x for x in found if x.shape == value.shape]
        assert min(np.abs(x - value).max(initial=0.0) for x in alike) < 1e-5
