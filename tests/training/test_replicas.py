"""Steps on several replicas are those of one device with the whole batch; runs resume on another number of them."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.backend import BACKEND

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="`tf.distribute` needs TensorFlow")
ROOT = pathlib.Path(__file__).parents[2]
QUICK = ["noise_gan", "distinct"]
MORE = ["glimpses", "transformer"]
LARGER = ["image_gan", "synchronized_resnet", "sagan", "rnn_search"]


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.slow)])
def quick(request, tmp_path_factory):
    return run(request.param, QUICK, tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="module", params=[2, 4])
def more(request, tmp_path_factory):
    return run(request.param, MORE, tmp_path_factory.mktemp("more"))


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return run(2, [*LARGER, "resnet", "resumed"], tmp_path_factory.mktemp("slow"))


def run(count, parts, folder):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tests.training.replicas", str(count), ",".join(parts), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_same(one, several):
    for kind in ("weights", "history"):
        for name, expected in one[kind].items():
            np.testing.assert_allclose(several[kind][name], expected, rtol=2e-5, atol=2e-6, err_msg=name)
    assert one["weights"].keys() == several["weights"].keys()
    assert several["apart"] == [], "the variables are the same on all replicas"


@pytest.mark.parametrize("name", [name for name in QUICK if name != "distinct"])
def test_steps_are_those_of_one_device(name, quick):
    assert_same(*quick[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_steps_of_more_models_are_those_of_one_device(name, more):
    assert_same(*more[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGER)
def test_steps_of_larger_models_are_those_of_one_device(name, slow):
    assert_same(*slow[name])


@pytest.mark.slow
def test_statistics_are_those_of_a_replica_unless_synchronized(slow):
    one, several = (found["weights"] for found in slow["resnet"])
    moving = [name for name in one if "moving" in name]
    assert len(moving) == 8 and len(slow["resnet"][1]["apart"]) == 8
    assert all("moving" in name for name in slow["resnet"][1]["apart"])
    differences = {name: np.abs(np.subtract(several[name], one[name])).max() for name in one}
    assert max(differences[name] for name in moving) > 1e-2
    assert max(differences[name] for name in one if name not in moving) > 1e-4, "nor are the gradients the same"


def test_random_numbers_differ_by_the_replica(quick):
    one, several = quick["distinct"]
    assert one == several == dict.fromkeys(one, 8) and len(one) == 5


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["fewer", "more"])
@pytest.mark.parametrize("kind", ["save", "KeepLastCheckpoints", "BackupAndRestore"])
def test_runs_resume_on_another_number_of_replicas(kind, direction, slow):
    """With the weights, the average, the state of both optimizers and the seeds of an uninterrupted run."""
    expected, found = slow[direction]["expected"], slow[direction][kind]
    assert len(expected) == len(found) > 20
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6)
