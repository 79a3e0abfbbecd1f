"""The examples are scripts, not a package: their folder goes on the path, as it does when one is run."""

import pathlib
import sys

import keras
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "examples"))


@pytest.fixture
def eager(monkeypatch):
    """Trains step by step on TensorFlow, where a test is of what a run keeps: a graph of few steps takes its time.

    The run of `test_digits_learning` is in a graph, and so is the slow one of `test_translation_learning`.
    """
    owner = next(cls for cls in keras.Model.__mro__ if "fit" in vars(cls))
    fit = owner.fit

    def eagerly(model, *args, **kwargs):
        model.run_eagerly = True
        return fit(model, *args, **kwargs)

    if keras.backend.backend() == "tensorflow":
        monkeypatch.setattr(owner, "fit", eagerly)
