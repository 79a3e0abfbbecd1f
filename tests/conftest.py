"""What every test starts from: quiet backends, one thread for each of several processes, the same seed."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if os.environ.get("PYTEST_XDIST_WORKER"):
    # Each process would otherwise start a thread a core, and they would wait for each other.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# Tests of a few numbers wait for XLA to compile, not for what it has compiled.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import keras
import pytest


@pytest.fixture(autouse=True)
def same_start():
    """Seeds Python, NumPy and the backend, and puts the dtype policy back after the test."""
    keras.utils.set_random_seed(0)
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(autouse=True)
def optimizers_built_early(monkeypatch):
    """Builds an optimizer when its model is compiled, and not in the first step.

    TensorFlow traces a step that makes variables a second time without their making: half of what such a step takes.
    """
    # Where Keras defines it: a class of its own for `compile` is one that Keras does not compile after loading.
    owner = next(cls for cls in keras.Model.__mro__ if "compile" in vars(cls))
    compile_only = owner.compile

    def compile_and_build(model, *args, **kwargs):
        compile_only(model, *args, **kwargs)
        if model.built and model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)

    if keras.backend.backend() == "tensorflow":
        monkeypatch.setattr(owner, "compile", compile_and_build)


@pytest.fixture
def few_objects():
    """Hides all objects that there are from the garbage collector.

    Keras collects garbage for each kernel that it quantises, which takes long where there are as many objects as
    hundreds of tests leave behind.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
