import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import QUICK

DATA = np.ones((10, 2), "float32"), np.ones((10, 3), "float32")


def make():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse", **QUICK)
    return model


def fit(model, *callbacks, epochs=3):
    # Five batches an epoch.
    model.fit(*DATA, batch_size=2, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks))


def steps(callback):
    return [int(path.name[5:13]) for path in callback.paths]


@pytest.mark.parametrize(
    "every, keep, expected",
    [("epoch", 2, [10, 15]), ("epoch", 9, [5, 10, 15]), (4, 3, [4, 8, 12]), (7, 1, [14]), (1, 2, [14, 15])],
)
def test_keeps_the_last_files(every, keep, expected, tmp_path):
    last = training.KeepLastCheckpoints(tmp_path / "new" / "folder", keep=keep, every=every)
    fit(make(), last)
    assert steps(last) == expected
    assert sorted(last.directory.iterdir()) == last.paths


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one step an execution there")
@pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 11),
    reason="before 3.11, Keras reports the first batch of an execution, so that a checkpoint comes an execution late",
)
def test_several_steps_an_execution(tmp_path):
    model = make()
    model.compile("sgd", "mse", steps_per_execution=3)
    last = training.KeepLastCheckpoints(tmp_path, keep=9, every=2)
    fit(model, last, epochs=2)
    assert steps(last) == [3, 5, 8, 10]


def test_what_it_saves_is_the_model_of_that_step(tmp_path):
    last = training.KeepLastCheckpoints(tmp_path, keep=2, every=5)
    model = make()
    fit(model, last)
    twin = make()
    twin.load_weights(last.paths[-1])
    np.testing.assert_array_equal(twin.get_weights()[0], model.get_weights()[0])
    mean = training.average_checkpoints(last.paths, twin).get_weights()[0]
    assert (mean != model.get_weights()[0]).any()


def test_a_run_goes_on_where_it_was(tmp_path):
    model = make()
    fit(model, training.KeepLastCheckpoints(tmp_path, keep=3))
    last = training.KeepLastCheckpoints(tmp_path, keep=3)
    fit(model, last, epochs=1)
    assert steps(last) == [10, 15, 20]


def test_another_run_in_the_same_folder_is_refused_and_nothing_is_lost(tmp_path):
    first = training.KeepLastCheckpoints(tmp_path, keep=2)
    fit(make(), first)
    (tmp_path / "step-notes.weights.h5").write_text("mine")
    with pytest.raises(ValueError, match="later step than this run's 0, such as step-00000015.weights.h5"):
        fit(make(), training.KeepLastCheckpoints(tmp_path, keep=2))
    assert steps(first) == [10, 15]
    assert (tmp_path / "step-notes.weights.h5").exists()


@pytest.mark.parametrize("bad", [{"keep": 0}, {"keep": 1.5}, {"every": 0}, {"every": "batch"}], ids=str)
def test_bad_arguments_are_refused(bad, tmp_path):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        training.KeepLastCheckpoints(tmp_path, **bad)
