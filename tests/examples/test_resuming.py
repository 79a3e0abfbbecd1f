import itertools

import keras
import numpy as np
import pytest
import resuming

from keras_attention import training

X, Y = np.random.default_rng(0).normal(size=(2, 9, 4, 3)).astype("float32")


def model():
    """With momentum and dropout, whose states must be resumed."""
    keras.utils.set_random_seed(0)
    dropout = keras.layers.Dropout(0.5, seed=1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5), dropout, dropout, keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], jit_compile=False)
    return model


def batches(first):
    return ((X[k % 9], Y[k % 9]) for k in itertools.count(first))


class At(keras.callbacks.Callback):
    """Does something before this update."""

    def __init__(self, update, do):
        super().__init__()
        self.update, self.do = update, do

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.update:
            self.do()


def interrupt():
    raise KeyboardInterrupt


def train(folder, steps=8, callbacks=(), data=batches, every=3):
    trained = model()
    done = resuming.train(trained, data, steps, folder, every, {"loss": "{:.3f}"}, callbacks)
    return done, trained


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_interrupted_run_has_the_result_of_an_uninterrupted_one(tmp_path, eager):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "a", callbacks=[At(5, interrupt)])
    assert names(tmp_path / "a") == ["rng.json", "step-00000003.weights.h5"]
    done, resumed = train(tmp_path / "a")
    before, whole = train(tmp_path / "b")
    assert (done, before) == (3, 0)
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # The last update is saved, and a run that is done does not train.
    assert names(tmp_path / "a") == ["rng.json", "step-00000008.weights.h5"]
    assert train(tmp_path / "a", callbacks=[At(0, interrupt)])[0] == 8


def test_a_run_that_diverges_ends_with_its_last_checkpoint(tmp_path, eager):
    def nan(first):
        return ((X[0] * (np.nan if k > 25 else 1), Y[0]) for k in itertools.count(first))

    with pytest.raises(FloatingPointError, match="`loss` is nan after batch 40.*step-00000024.weights.h5"):
        train(tmp_path, 60, data=nan, every=24)
    assert len(training.KeepLastCheckpoints(tmp_path).paths) == 1


def test_losses_are_finite_when_a_callback_is_due(tmp_path, eager):
    def nan(first):
        return ((X[0] * (np.nan if k > 42 else 1), Y[0]) for k in itertools.count(first))

    class Due(keras.callbacks.Callback):
        every = 25

        def on_train_batch_end(self, batch, logs=None):
            if (batch + 1) % 25 == 0:
                assert np.isfinite(logs["loss"])

    with pytest.raises(FloatingPointError, match="`loss` is nan after batch 45"):
        train(tmp_path, 60, data=nan, callbacks=[Due()], every=24)


def test_a_model_without_rng_states_has_no_file_of_them(tmp_path, eager):
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    plain.compile("adam", "mse", metrics=["mae"], jit_compile=False)
    assert resuming.train(plain, batches, 2, tmp_path, 3, {"loss": "{:.3f}"}) == 0
    assert names(tmp_path) == ["step-00000002.weights.h5"]
