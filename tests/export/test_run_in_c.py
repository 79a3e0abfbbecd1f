"""The export runs through TensorFlow's C API, in a process without Python: TensorFlow Serving's own loader."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_attention.export import export_saved_model
from tests.export import exported, models

pytestmark = pytest.mark.c_api


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """`run_saved_model.c`, compiled against the TensorFlow that is installed."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("needs a C compiler on Linux: apt-get install gcc libc6-dev")
    source = pathlib.Path(__file__).with_name("run_saved_model.c")
    wheel = pathlib.Path(tf.__file__).parent
    target = tmp_path_factory.mktemp("c") / "run_saved_model"
    subprocess.run(
        [compiler, "-O1", "-Wall", "-Werror", "-o", target, source, f"-I{wheel / 'include'}", f"-L{wheel}"]
        + ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{wheel}"],
        check=True,
    )
    return target


def graph_names(path, name):
    """Input and output name of a signature -> name of the tensor in the graph."""
    saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    signature = saved_model.meta_graphs[0].signature_def[name]
    return tuple({k: v.name for k, v in side.items()} for side in (signature.inputs, signature.outputs))


def run(program, path, name, inputs, outputs):
    """Runs a signature; `inputs` are arrays or lists of bytes, `outputs` name -> dtype. Returns the files' contents."""
    folder = program.parent
    sent, received = graph_names(path, name)
    command = [str(program), str(path)]
    for key, value in inputs.items():
        file = folder / f"{key}.in"
        if isinstance(value, list):
            file.write_bytes(b"".join(text + b"\n" for text in value))
            command += ["in", sent[key], "string", str(len(value)), str(file)]
        else:
            file.write_bytes(value.tobytes())
            command += ["in", sent[key], value.dtype.name, ",".join(map(str, value.shape)), str(file)]
    for key in outputs:
        command += ["out", received[key], str(folder / f"{key}.out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no Python" in done.stdout
    return {key: (folder / f"{key}.out").read_bytes() for key in outputs}


def test_numbers(program, tmp_path):
    model = exported.classifier()
    path = export_saved_model(model, tmp_path)
    short, long = models.tokens(3, 8)
    inputs = {"tokens": models.as_a_batcher(short, long), "tokens_lengths": np.array([3, 8], "int32")}
    out = np.frombuffer(run(program, path, "serving_default", inputs, ["outputs"])["outputs"], "float32")
    np.testing.assert_allclose(out.reshape(2, 3), np.concatenate([model(short), model(long)]), atol=1e-6)


def test_strings_to_strings_through_tables_and_the_decode_loop(program, writer):
    model, path = writer
    texts = [b"abc", b"hgfedcba", b"", "a\u00e4b\U0001f600".encode(), b"cab"]
    out = run(program, path, "write", {"text": texts}, ["text", "tokens"])
    expected = exported.string_signature(model)[0](tf.constant(texts))
    np.testing.assert_array_equal(np.frombuffer(out["tokens"], "int32").reshape(5, -1), expected["tokens"])
    assert out["text"].splitlines() == expected["text"].numpy().tolist()
    assert len(set(out["text"].splitlines())) > 2, "a writer that always writes the same tests nothing"


def test_a_wrong_call_is_an_error_and_no_crash(program, writer):
    _, path = writer
    done = subprocess.run([program, path.parent], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "load: Could not find SavedModel" in done.stderr
