import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import QUICK
from tests.training import stand_ins


def batches(bad_from=5):
    """Batches from `bad_from` on contain a NaN."""
    images, labels = stand_ins.data(6)
    for number in range(100):
        x = images.copy()
        if number >= bad_from:
            x[2, 3] = np.nan
        yield x, labels


def fit(model, *callbacks, **kwargs):
    model.objective.check = lambda batch: None  # it would refuse NaN
    model.fit(batches(**kwargs), steps_per_epoch=3, epochs=4, shuffle=False, verbose=0, callbacks=list(callbacks))


@pytest.mark.parametrize("every, bad_from, batch", [pytest.param(1, 5, 3, marks=pytest.mark.slow), (2, 4, 2)])
def test_the_error_names_the_loss_and_the_last_good_checkpoint(every, bad_from, batch, tmp_path):
    model = stand_ins.model(networks=stand_ins.plain, **QUICK)
    checkpoints = training.KeepLastCheckpoints(tmp_path, keep=2, every=2)
    stop = training.StopOnNotFinite(checkpoints, every=every)
    with pytest.raises(FloatingPointError) as error:
        fit(model, stop, checkpoints, bad_from=bad_from)
    assert f"`discriminator_loss` is nan after batch {batch} of epoch 2: training has diverged" in str(error.value)
    assert f"The last good checkpoint is {tmp_path / 'step-00000004.weights.h5'}" in str(error.value)
    twin = stand_ins.model(networks=stand_ins.plain, seed=1)
    twin.load_weights(checkpoints.paths[-1])
    assert all(np.isfinite(w).all() for w in twin.get_weights())


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    checkpoints = training.KeepLastCheckpoints(tmp_path, keep=1, every=2)
    with pytest.raises(FloatingPointError, match="is not finite after update 6.*step-00000004.weights.h5: load it"):
        fit(stand_ins.model(networks=stand_ins.plain, **QUICK), checkpoints)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004.weights.h5"]


def test_the_error_says_that_there_is_no_checkpoint(tmp_path):
    for checkpoints in (None, training.KeepLastCheckpoints(tmp_path, every=9)):
        with pytest.raises(FloatingPointError, match="There is no checkpoint of an earlier update"):
            fit(stand_ins.model(networks=stand_ins.plain, **QUICK), training.StopOnNotFinite(checkpoints), bad_from=0)


def test_the_end_of_an_epoch_is_always_checked():
    with pytest.raises(FloatingPointError, match="after batch 3 of epoch 2"):
        fit(stand_ins.model(networks=stand_ins.plain, **QUICK), training.StopOnNotFinite(every=100))


def test_infinity_is_found_and_finite_losses_pass():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **QUICK)
    with pytest.raises(FloatingPointError, match="`loss` is inf"):
        model.fit(np.full((2, 1), 3e38), np.ones((2, 1)), verbose=0, callbacks=[training.StopOnNotFinite()])
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **QUICK)
    model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0, callbacks=[training.StopOnNotFinite()])


@pytest.mark.parametrize("bad", [{"checkpoints": "folder"}, {"every": 0}, {"every": 1.5}, {"every": True}], ids=str)
def test_bad_arguments_are_refused(bad):
    with pytest.raises(ValueError, match=f"`{next(iter(bad))}` must be"):
        training.StopOnNotFinite(**bad)
