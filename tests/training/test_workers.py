"""Two processes that train together, on one machine, take the steps of one process with the whole batch."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.backend import BACKEND

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BACKEND == "torch", reason="Keras trains in several processes on TensorFlow and JAX"),
]


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [str(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports


def run(count):
    """What each of `count` processes prints."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    ports = ",".join(free_ports(count))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.workers", str(index), ports],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        for index in range(count)
    ]
    try:
        outputs = [process.communicate(timeout=500) for process in started]
    finally:
        for process in started:
            process.kill()
    assert not any(process.returncode for process in started), [error[-2000:] for _, error in outputs]
    return [json.loads(output.splitlines()[-1]) for output, _ in outputs]


def test_steps_of_two_processes_are_those_of_one():
    [one], several = run(1), run(2)
    for found in several:
        np.testing.assert_allclose(found["losses"], one["losses"], rtol=2e-5)
        for weights, expected in zip(found["weights"], one["weights"], strict=True):
            np.testing.assert_allclose(weights, expected, rtol=2e-5, atol=2e-6)
    assert len(set(one["losses"])) == 3
    if BACKEND == "tensorflow":  # where Keras's `fit` takes no data of several workers
        assert all("PerReplica" in found["error"] for found in several)
