"""A killed run resumes exactly from its last checkpoint."""

import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import BACKEND, QUICK
from tests.training import stand_ins
from tests.training.stand_ins import snapshot

STEPS, EVERY, KILL_AT = 4, 2, 3
GRAPH = {"jit_compile": BACKEND == "jax"}


class Recorder(keras.callbacks.Callback):
    """Records the losses of each step, and calls `kill` in the middle of the run."""

    def __init__(self, curve, kill_at=None, kill=None):
        super().__init__()
        self.curve, self.kill_at, self.kill = curve, kill_at, kill

    def on_epoch_end(self, epoch, logs=None):
        self.curve[epoch] = {name: float(value) for name, value in logs.items()}

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.kill_at:
            self.kill()


def batches(first):
    """Batch k is the same wherever a run starts."""
    images, labels = stand_ins.data(40)
    for number in range(first, STEPS):
        rows = np.random.default_rng(number).permutation(40)[:6]
        yield images[rows], labels[rows]


def run(folder, seed, curve, kill_at=None, kill=None, how=QUICK):
    """Trains, from the last checkpoint in the folder if there is one. An epoch is one step: each is reported."""
    model = stand_ins.model(seed=seed, average_decay=0.9, **how)
    checkpoints = training.KeepLastCheckpoints(folder, keep=2, every=EVERY)
    if checkpoints.paths:
        model.load_weights(checkpoints.paths[-1])
    done = int(model.optimizer.iterations)
    callbacks = [checkpoints, Recorder(curve, kill_at, kill)]
    epochs = {"initial_epoch": done, "epochs": STEPS, "steps_per_epoch": 1, "shuffle": False, "verbose": 0}
    model.fit(batches(done), callbacks=callbacks, **epochs)
    return model


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A run, its curve, and a copy of its folder from the middle of the run: what it leaves if it is killed there."""
    folder, curve = tmp_path_factory.mktemp("whole"), {}
    killed = tmp_path_factory.mktemp("killed") / "copy"
    model = run(folder, seed=0, curve=curve, kill_at=KILL_AT, kill=lambda: shutil.copytree(folder, killed))
    return model, curve, killed


def test_a_resumed_run_has_the_curve_and_the_weights_of_an_uninterrupted_one(tmp_path, uninterrupted):
    uninterrupted, whole, killed = uninterrupted
    # Another seed: whatever the file does not hold differs.
    curve = {}
    resumed = run(shutil.copytree(killed, tmp_path / "broken"), seed=1, curve=curve)
    assert sorted(whole) == list(range(STEPS)) and sorted(curve) == list(range(EVERY, STEPS))
    for step, report in curve.items():
        assert whole[step] == report, f"step {step}"
    state = [m.variables + m.optimizer.variables for m in (uninterrupted, resumed)]
    for a, b in zip(*state, strict=True):
        np.testing.assert_array_equal(*snapshot([a, b]), err_msg=a.path)


@pytest.mark.slow
def test_every_part_of_the_state_matters(uninterrupted):
    """Each of these, changed after loading, changes the curve: so the test above can fail."""
    model = stand_ins.model(seed=1, average_decay=0.9, **QUICK)
    model.load_weights(training.KeepLastCheckpoints(uninterrupted[2]).paths[-1])
    state = model.variables + model.optimizer.variables
    loaded = snapshot(state)

    def after(change):
        for variable, value in zip(state, loaded):
            variable.assign(value)
        change(model)
        report = model.train_on_batch(*next(batches(EVERY)), return_dict=True)
        return list(report.values()), snapshot(model.average.weights)

    def velocity(optimizer):
        return next(v for v in optimizer.variables if "velocity" in v.path)

    expected = after(lambda model: None)
    pieces = {
        "noise": lambda m: m.seed_generator.state,
        "dropout": lambda m: next(v for v in m.generator.variables if "seed" in v.path),
        "spectral vector": lambda m: next(v for v in m.discriminator.variables if v.path.endswith("/u")),
        "moments": lambda m: velocity(m.optimizer.discriminator_optimizer),
        "other moments": lambda m: velocity(m.optimizer.generator_optimizer),
        "average": lambda m: m.average.weights[-1],
        "updates": lambda m: m.optimizer.iterations,
    }
    if BACKEND == "torch":
        del pieces["dropout"]  # seeded by "noise" and "updates" there
    for name, piece in pieces.items():

        def change(model, piece=piece):
            variable = piece(model)
            variable.assign(variable + keras.ops.cast(3, variable.dtype))

        found = after(change)
        same = np.array_equal(found[0], expected[0]) and all(map(np.array_equal, found[1], expected[1]))
        assert not same, name


def test_a_keras_file_resumes_training(tmp_path):
    images, labels = stand_ins.data(6)
    model = stand_ins.model(average_decay=0.9, **QUICK)
    model.train_on_batch(images, labels)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.get_config()["objective"] == model.get_config()["objective"]
    model.reset_metrics()  # old versions of Keras do not
    twin.reset_metrics()
    ours, theirs = (m.train_on_batch(images, labels, return_dict=True) for m in (model, twin))
    assert ours == theirs
    for a, b in zip(model.variables, twin.variables, strict=True):
        np.testing.assert_array_equal(*snapshot([a, b]), err_msg=a.path)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    stand_ins.model().save_weights(tmp_path / "one.weights.h5")
    with pytest.raises(ValueError):
        stand_ins.model(average_decay=0.9).load_weights(tmp_path / "one.weights.h5")


def main(folder):
    """The process of the test below."""
    run(folder, 0, {}, KILL_AT, lambda: os.kill(os.getpid(), signal.SIGKILL), GRAPH)


@pytest.mark.slow
def test_a_run_resumes_after_its_process_is_killed(tmp_path):
    """In a graph, as users train."""
    folder = str(tmp_path / "killed")
    command = [sys.executable, "-c", f"from tests.training.test_adversarial_resume import main; main({folder!r})"]
    assert subprocess.run(command, check=False, timeout=500).returncode == -signal.SIGKILL
    curve, whole = {}, {}
    resumed = run(folder, seed=1, curve=curve, how=GRAPH)
    uninterrupted = run(tmp_path / "whole", seed=0, curve=whole, how=GRAPH)
    assert sorted(curve) == list(range(EVERY, STEPS))
    # Another process may sum in another order.
    for step, report in curve.items():
        assert report == pytest.approx(whole[step], rel=1e-4, abs=1e-5), f"step {step}"
    for a, b in zip(uninterrupted.weights, resumed.weights, strict=True):
        np.testing.assert_allclose(*snapshot([a, b]), rtol=1e-4, atol=1e-5)
