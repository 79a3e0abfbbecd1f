import os
import pathlib

import keras
import numpy as np
import pytest

from keras_attention import training
from keras_attention.training.keep_last_checkpoints import _most_bytes
from tests.backend import QUICK
from tests.training.test_files import full_disk, open_files

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


KEPT = [("epoch", 2, [10, 15]), ("epoch", 9, [5, 10, 15]), (4, 3, [4, 8, 12]), (7, 1, [14]), (1, 2, [14, 15])]


def test_keeps_the_last_files(tmp_path):
    """Five callbacks in one training run, to save time."""
    each = [
        training.KeepLastCheckpoints(tmp_path / f"new-{i}" / "folder", keep=keep, every=every)
        for i, (every, keep, _) in enumerate(KEPT)
    ]
    fit(make(), *each)
    for last, (every, keep, expected) in zip(each, KEPT, strict=True):
        assert steps(last) == expected, (every, keep)
        assert sorted(last.directory.iterdir()) == last.paths


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="one step per execution there")
@pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 11),
    reason="before 3.11, Keras reports the first batch of an execution, so that a checkpoint is an execution late",
)
def test_several_steps_per_execution(tmp_path):
    model = make()
    model.compile("sgd", "mse", steps_per_execution=3)
    last = training.KeepLastCheckpoints(tmp_path, keep=9, every=2)
    fit(model, last, epochs=2)
    assert steps(last) == [3, 5, 8, 10]


def test_a_checkpoint_holds_the_weights_of_its_step(tmp_path):
    last = training.KeepLastCheckpoints(tmp_path, keep=2, every=5)
    model = make()
    fit(model, last)
    twin = make()
    twin.load_weights(last.paths[-1])
    np.testing.assert_array_equal(twin.get_weights()[0], model.get_weights()[0])
    mean = training.average_checkpoints(last.paths, twin).get_weights()[0]
    assert (mean != model.get_weights()[0]).any()


def test_a_resumed_run_counts_earlier_checkpoints(tmp_path):
    model = make()
    fit(model, training.KeepLastCheckpoints(tmp_path, keep=3))
    last = training.KeepLastCheckpoints(tmp_path, keep=3)
    fit(model, last, epochs=1)
    assert steps(last) == [10, 15, 20]


def test_another_run_in_the_same_folder_is_refused_and_no_file_is_lost(tmp_path):
    first = training.KeepLastCheckpoints(tmp_path, keep=2)
    fit(make(), first)
    (tmp_path / "step-notes.weights.h5").write_text("mine")
    with pytest.raises(ValueError, match="later step than this run's 0, such as step-00000015.weights.h5"):
        fit(make(), training.KeepLastCheckpoints(tmp_path, keep=2))
    assert steps(first) == [10, 15]
    assert (tmp_path / "step-notes.weights.h5").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("precious")
    for path in ("file", "file/below"):
        with pytest.raises(NotADirectoryError, match="`directory` must be a folder"):
            training.KeepLastCheckpoints(tmp_path / path)
    for bad in (None, 3, ""):
        with pytest.raises(ValueError, match="`directory` must be the local path of a folder"):
            training.KeepLastCheckpoints(bad)
    last = training.KeepLastCheckpoints(tmp_path / "folder")
    assert not last.directory.exists()
    last.set_model(make())
    monkeypatch.setattr(pathlib.Path, "mkdir", lambda *a, **k: os.listdir("/nowhere"))  # root may write everywhere
    with pytest.raises(OSError, match=r"`directory` cannot be written \(No such file"):
        last.on_train_begin()


def last_size(model, folder):
    model.save_weights(folder / "size.weights.h5")
    size = (folder / "size.weights.h5").stat().st_size
    (folder / "size.weights.h5").unlink()
    return size


def test_the_reserved_space_is_enough_for_a_file(tmp_path):
    layers = [keras.layers.Dense(1, dtype=("bfloat16", "float32")[i % 2]) for i in range(8)]
    inner = keras.Sequential([keras.Input((1,)), *(keras.Sequential([layer]) for layer in layers)])
    for model in (keras.Sequential([keras.Input((1,)), inner, keras.layers.Dense(9)]), make()):
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        wanted = _most_bytes([*model.variables, *model.optimizer.variables])
        assert wanted / 10 < last_size(model, tmp_path) < wanted


def test_a_checkpoint_on_a_full_disk_fails_and_the_next_succeeds(tmp_path):
    model = keras.Sequential([keras.Input((90,)), keras.layers.Dense(200)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    last = training.KeepLastCheckpoints(tmp_path)
    last.set_model(model)
    last.on_train_begin()
    size = last_size(model, tmp_path)
    # Full from the start, within the weights, and at the end of the file.
    for room in (0, size // 2, size - 3000):
        with full_disk(room), pytest.raises(OSError, match="There is no room"):
            last.on_epoch_end(0)
        assert not open_files() and list(tmp_path.iterdir()) == []
    last.on_epoch_end(0)
    twin = keras.Sequential([keras.Input((90,)), keras.layers.Dense(200)])
    np.testing.assert_array_equal(
        training.average_checkpoints(last.paths, twin).get_weights()[0], model.get_weights()[0]
    )


def test_half_written_files_of_a_killed_run_are_removed_when_training_starts(tmp_path):
    half = tmp_path / ".step-00000005.weights.h5.0a1b2c3d"
    half.mkdir()
    (half / "written.weights.h5").write_text("half")
    for path in (half / "written.weights.h5", half):
        os.utime(path, (0, 0))
    last = training.KeepLastCheckpoints(tmp_path)
    last.set_model(make())
    last.on_train_begin()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "bad", [{"keep": 0}, {"keep": 1.5}, {"keep": True}, {"every": 0}, {"every": "batch"}, {"every": True}], ids=str
)
def test_bad_arguments_are_refused(bad, tmp_path):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        training.KeepLastCheckpoints(tmp_path, **bad)
