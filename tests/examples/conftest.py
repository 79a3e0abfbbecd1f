"""The examples are scripts, not a package: their folder is added to the path, as when one is run."""

import pathlib
import sys

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
def functions_eager():
    """Runs functions decorated with `tf.function` eagerly, in tests of their inputs and outputs."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
