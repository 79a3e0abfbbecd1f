"""An export in TensorFlow without Keras, and without Python through the C API."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.export import exported, models

SERVE = """
import json, sys

# Blocks imports of Keras, which TensorFlow imports if it is installed, and of this library.
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
TEXTS = ["abc", "", "hgfedcba" * 3, "zz \u2603", "a\u00e4b\U0001f600", "cab"]
LIBRARY = "libtensorflow_cc.so.2"
SOURCES, TARGETS = models.tokens(4, 7), models.tokens(5, 3, seed=2)


def translation():
    """Two requests, merged as by a batcher."""
    source, target = (models.as_a_batcher(*rows) for rows in (SOURCES, TARGETS))
    lengths = {"source_lengths": np.array([4, 7], "int32"), "target_lengths": np.array([5, 3], "int32")}
    return {"source": source, "target": target, **lengths}


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """The tiny Transformer, the path of its export, and the function of its signature `write`."""
    model, path = exported.export_writer(tmp_path_factory.mktemp("writer"))
    write, _ = exported.string_signature(model)
    return model, path, write


@pytest.fixture(scope="module")
def written(writer):
    return writer[2](tf.constant(TEXTS))


def assert_logits(writer, logits):
    model, _, _ = writer
    for row, source, target in zip(logits, SOURCES, TARGETS, strict=True):
        alone = model({"source": source, "target": target})
        np.testing.assert_allclose(row[None, : target.shape[1]], alone, atol=1e-5)


def test_decoded_text_does_not_depend_on_the_batch(writer, written):
    assert writer[2](tf.constant(TEXTS[-1:]))["text"].numpy() == [written["text"].numpy()[-1]]
    assert len(set(written["text"].numpy())) > 2, "outputs must differ, or the test would be void"


def test_tensorflow_without_keras_matches_the_model(writer, written, tmp_path):
    """Through JSON, as over REST."""
    logits = {key: value.tolist() for key, value in translation().items()}
    requests = [(str(writer[1]), "serving_default", logits), (str(writer[1]), "write", {"text": TEXTS})]
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(
        command, input=json.dumps(requests), capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer, texts = json.loads(done.stdout)
    assert_logits(writer, np.array(answer["outputs"]))
    np.testing.assert_array_equal(texts["tokens"], written["tokens"])
    assert texts["text"] == [text.decode() for text in written["text"].numpy()]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """`run_saved_model.c`, compiled against the installed TensorFlow: the loader of TensorFlow Serving."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("needs a C compiler on Linux: apt-get install gcc libc6-dev")
    source = pathlib.Path(__file__).with_name("run_saved_model.c")
    wheel = pathlib.Path(tf.__file__).parent
    folder = tmp_path_factory.mktemp("c")
    target, stand_in = folder / "run_saved_model", folder / LIBRARY
    # Linking against a gigabyte of TensorFlow takes seconds: link against a stub of the same name and functions.
    functions = sorted(set(re.findall(r"\bTF_\w+(?=\()", source.read_text())))
    code = "".join(f"void {name}(void) {{}}\n" for name in functions)
    shared = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{LIBRARY}", "-o", stand_in, "-x", "c", "-"]
    subprocess.run(shared, input=code, text=True, check=True)
    subprocess.run(
        [compiler, "-O1", "-Wall", "-Werror", "-o", target, source, f"-I{wheel / 'include'}", f"-L{folder}"]
        + [f"-l:{LIBRARY}", f"-Wl,-rpath,{wheel}"],
        check=True,
    )
    return target


def graph_names(path, name):
    """Input and output name of a signature -> name of the tensor in the graph."""
    saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    signature = saved_model.meta_graphs[0].signature_def[name]
    return tuple({k: v.name for k, v in side.items()} for side in (signature.inputs, signature.outputs))


def run(program, path, calls):
    """Runs several signatures in one process, as loading takes longest.

    Args:
        calls: {name of a signature: (inputs by name, names of outputs)}; inputs are arrays or lists of bytes.

    Returns:
        {name of an output: contents of its file}.
    """
    folder, sent, received = program.parent, [], []
    for name, (inputs, outputs) in calls.items():
        here, there = graph_names(path, name)
        for key, value in inputs.items():
            file = folder / f"{key}.in"
            if isinstance(value, list):
                file.write_bytes(b"".join(text + b"\n" for text in value))
                sent += ["in", here[key], "string", str(len(value)), str(file)]
            else:
                file.write_bytes(value.tobytes())
                sent += ["in", here[key], value.dtype.name, ",".join(map(str, value.shape)), str(file)]
        for key in outputs:
            received += ["out", there[key], str(folder / f"{key}.out")]
    done = subprocess.run([str(program), str(path), *sent, *received], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no Python" in done.stdout
    return {key: (folder / f"{key}.out").read_bytes() for _, outputs in calls.values() for key in outputs}


@pytest.mark.c_api
def test_c_program_matches_the_model(program, writer, written):
    texts = {"text": [text.encode() for text in TEXTS]}
    calls = {"serving_default": (translation(), ["outputs"]), "write": (texts, ["text", "tokens"])}
    out = run(program, writer[1], calls)
    assert_logits(writer, np.frombuffer(out["outputs"], "float32").reshape(2, 5, -1))
    np.testing.assert_array_equal(np.frombuffer(out["tokens"], "int32").reshape(len(TEXTS), -1), written["tokens"])
    assert out["text"].splitlines() == written["text"].numpy().tolist()


@pytest.mark.c_api
def test_c_program_reports_errors(program, tmp_path):
    done = subprocess.run([program, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "load: Could not find SavedModel" in done.stderr
