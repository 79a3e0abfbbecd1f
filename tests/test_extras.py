import os
import subprocess
import sys

import pytest

from keras_attention.extras import install, installed


def test_installed_packages_are_found():
    assert installed("keras") and not installed("nowhere_to_be_found")


@pytest.mark.parametrize("has_pip", [True, False])
def test_the_command_is_for_this_interpreter(has_pip, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/some where/python")
    monkeypatch.setattr("importlib.metadata.distributions", lambda name: iter(["pip"] if has_pip else []))
    pip = "'/some where/python' -m pip" if has_pip else "python3 -m pip --python '/some where/python'"
    assert install("torch") == f"{pip} install 'keras-attention-layers[torch]'"


@pytest.mark.parametrize(
    ("backend", "missing", "expected"),
    [
        ("tensorflow", ["tensorflow", "jax", "torch"], ["none of them", "[tensorflow]'", "jax or KERAS_BACKEND=torch"]),
        ("tensorflow", ["tensorflow", "jax"], ["set to use tensorflow", "KERAS_BACKEND=torch", "[tensorflow]'"]),
        ("torch", ["torch", "tensorflow"], ["set to use torch", "KERAS_BACKEND=jax", "[torch]'"]),
        ("jax", ["jax", "torch"], ["set to use jax", "KERAS_BACKEND=tensorflow", "[jax]'"]),
    ],
)
def test_a_missing_backend_is_named(backend, missing, expected):
    present = {"tensorflow", "jax", "torch"} - {*missing}
    if not all(map(installed, present)):
        pytest.skip(f"needs {', '.join(present)}")
    # `None` stands for a package that is not installed, where it is.
    code = f"import sys; sys.modules.update(dict.fromkeys({missing})); import keras_attention"
    env = {**os.environ, "KERAS_BACKEND": backend}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    kind, _, message = run.stderr.strip().splitlines()[-1].partition(": ")
    assert run.returncode == 1 and kind == "ImportError"
    assert not [part for part in expected if part not in message], message


def test_another_missing_package_is_not_taken_for_a_backend():
    code = "import sys; sys.modules['numpy'] = None; import keras_attention"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "numpy" in run.stderr and "KERAS_BACKEND" not in run.stderr
