"""The examples are scripts, not a package: their folder goes on the path, as it does when one is run."""

import pathlib
import sys

import keras
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))


@pytest.fixture
def eager(monkeypatch):
    """Trains and predicts step by step on TensorFlow, where a test is of what a run keeps or is made of outputs.

    A graph of few steps takes its time. The run of `test_digits_learning` that is not interrupted is in a graph, and so
    is the slow one of `test_translation_learning`.
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
    """Runs what is decorated with `tf.function` step by step, where a test is of what is given to it and made of it."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
