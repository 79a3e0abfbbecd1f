"""Exports of one model for `runtimes.py`, each run in its runtime and compared with the model."""

import pathlib
import tempfile
import warnings

import numpy as np

NOTHING = "nothing to quantize"


def compared(subject, dtype):
    """Yields (runtime, {"difference": ...} or {"error": ...}) for each runtime."""
    warnings.simplefilter("ignore")
    try:
        model, inputs, expected = _prepared(subject, dtype)
    except Exception as error:
        yield from ((runtime, {"error": f"{type(error).__name__}: {error}"}) for runtime in RUNTIMES)
        return
    if model is None:
        yield from ((runtime, {"reason": NOTHING}) for runtime in RUNTIMES)
        return
    with tempfile.TemporaryDirectory() as folder:
        for runtime, load in RUNTIMES.items():
            unknown = dtype == "float32" and runtime != "LiteRT"
            sizes = {} if unknown else {"input_signature": subject.specs(model)}
            try:
                run = load(model, pathlib.Path(folder), **sizes)
                found = [difference(want, run(x)) for x, want in list(zip(inputs, expected))[: 2 if unknown else 1]]
                yield runtime, {"difference": max(found)}
            except Exception as error:  # whatever a runtime raises is its result
                yield runtime, {"error": f"{type(error).__name__}: {error}"}


def _prepared(subject, dtype):
    """The model, its inputs of two sizes and its outputs on them; no model if there is nothing to quantize."""
    from tests.export.subjects import outputs_of

    model = subject.model()
    if dtype == "int8":
        model.quantize("int8")
        if not any(weight.dtype == "int8" for weight in model.weights):
            return None, None, None
    inputs = [subject.data(model), subject.data(model, more=2)]
    return model, inputs, [outputs_of(model, x) for x in inputs]


def difference(expected, got):
    """The largest difference of all outputs, each relative to the largest of its values.

    Raises:
        ValueError: If names or shapes differ, or a value is not finite.
    """
    got = {name.removesuffix("_output"): np.asarray(x) for name, x in got.items()}
    if sorted(got) != sorted(expected) or any(got[name].shape != x.shape for name, x in expected.items()):
        raise ValueError(
            f"outputs {[(n, x.shape) for n, x in got.items()]}, not {[(n, x.shape) for n, x in expected.items()]}"
        )
    worst = 0.0
    for name, x in expected.items():
        x, y = x.astype("float64"), got[name].astype("float64")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError(f"output {name!r} is not finite")
        worst = max(worst, float(np.abs(x - y).max(initial=0) / max(np.abs(x).max(initial=0), 1e-30)))
    return worst


def saved_model(model, folder, **sizes):
    import tensorflow as tf

    from keras_attention.export import export_saved_model

    path = export_saved_model(model, folder / "saved", lengths={}, verify=False, **sizes)
    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    return lambda inputs: {k: y.numpy() for k, y in function(**{k: tf.constant(x) for k, x in inputs.items()}).items()}


def openvino(model, folder, **sizes):
    """Of the SavedModel: OpenVINO does not take loops from ONNX that read values from outside of them."""
    import ml_dtypes
    import openvino

    [path] = (folder / "saved").iterdir()
    # Its own choice would be bfloat16 on processors that have it.
    compiled = openvino.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    taken = {name for given in compiled.inputs for name in given.names}
    renamed = {f"{name}_1": name for name in taken}  # an output with the name of an input

    def run(inputs):
        outputs = {}
        for given, x in compiled({name: x for name, x in inputs.items() if name in taken}).items():
            name = given.get_any_name()
            # NumPy has no bfloat16: OpenVINO gives its bits as float16.
            half = given.get_element_type() == openvino.Type.bf16
            outputs[renamed.get(name, name)] = x.view(ml_dtypes.bfloat16) if half else x
        return outputs

    return run


def onnx(model, folder, **sizes):
    import onnxruntime

    from keras_attention.export import export_onnx

    path = export_onnx(model, folder / "model.onnx", verify=False, **sizes)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {given.name for given in session.get_inputs()}
    return lambda inputs: dict(zip(names, session.run(names, {k: x for k, x in inputs.items() if k in taken})))


def litert(model, folder, **sizes):
    from ai_edge_litert.interpreter import Interpreter

    from keras_attention.export import export_litert

    path = export_litert(model, folder / "model.tflite", verify=False, **sizes)
    run = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda inputs: run(**inputs)


RUNTIMES = {"SavedModel": saved_model, "ONNX": onnx, "LiteRT": litert, "OpenVINO": openvino}
