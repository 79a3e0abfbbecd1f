"""What every test starts from: quiet backends, one thread for each of several processes, one seed, little memory."""

import ctypes
import gc
import importlib.metadata
import os
import sys

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if os.environ.get("PYTEST_XDIST_WORKER"):
    # Each process would otherwise start a thread a core, and they would wait for each other.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# Tests of a few numbers wait for XLA to compile, not for what it has compiled. These are switches of its back end: the
# program that it is given stays the same. More than half of the time of a compilation.
# At level 0 what two kernels compute, each for itself, may differ in the last digit: TensorFlow's gradient of a
# maximum, which looks for what is equal to it, is then NaN in CBAM behind the convolutions of a ResNet.
if "XLA_FLAGS" not in os.environ:
    flags = ["--xla_llvm_disable_expensive_passes=true"]
    found = {distribution.name: distribution.version for distribution in importlib.metadata.distributions()}
    version = found.get("tensorflow", found.get("tensorflow_cpu", "3.0"))  # without it, JAX, in a version of today
    # Older ones end at a flag that is new to them.
    if tuple(map(int, version.split(".")[:2])) >= (2, 21):
        flags += ["--xla_backend_optimization_level=0", "--xla_cpu_use_fusion_emitters=false"]
        flags += ["--xla_cpu_parallel_codegen_split_count=1"]
    else:
        flags += ["--xla_backend_optimization_level=1"]
    os.environ["XLA_FLAGS"] = " ".join(flags)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# oneDNN writes a program for each new shape of a product, which is then used once or twice.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def pytest_collection_finish():
    """Hides what importing and collecting has made from the garbage collector, which would visit it all every time.

    Tracing makes many objects that live on: looking for garbage after every 700 of them is a tenth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 10)


def pytest_configure(config):
    """Seeds what is drawn while tests are collected: layers that cases hold draw the seeds of their weights then.

    TensorFlow gets one seed for good: with every further one it forgets all kernels and graphs it has prepared.
    Only its stateful operations draw by this seed, in these tests the order of the examples in `fit`; it is the same
    for every `fit`. Keras's own operations draw by seeds of Keras, which each test starts anew.
    """
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        return  # this process runs no test, and importing TensorFlow would take its time
    import keras

    keras.utils.set_random_seed(0)
    if backend() == "tensorflow":
        import tensorflow as tf

        tf.random.set_seed = lambda seed: None


@pytest.fixture(autouse=True)
def same_start():
    """Seeds Python, NumPy and Keras, and puts the dtype policy back after the test."""
    import keras

    keras.utils.set_random_seed(0)
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def plan_of_cpus(monkeypatch):
    """Tiles as on a CPU, whose sizes a test holds, wherever it runs."""
    monkeypatch.setenv("KERAS_ATTENTION_DEVICE", "cpu")


@pytest.fixture(autouse=True)
def optimizers_built_early(monkeypatch):
    """Builds an optimizer when its model is compiled, and not in the first step.

    TensorFlow traces a step that makes variables a second time without their making: half of what such a step takes.
    """
    import keras

    # Where Keras defines it: a class of its own for `compile` is one that Keras does not compile after loading.
    owner = next(cls for cls in keras.Model.__mro__ if "compile" in vars(cls))
    compile_only = owner.compile

    def compile_and_build(model, *args, **kwargs):
        compile_only(model, *args, **kwargs)
        if model.built and model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)

    if backend() == "tensorflow":
        monkeypatch.setattr(owner, "compile", compile_and_build)


# Bytes by which a process may grow until it gives back what is free, and what it had when it last did.
STEP = 2**29
size_before = 0


@pytest.fixture(autouse=True)
def little_memory():
    """Gives back what a test has left behind: a process of the whole suite would grow to 13 GB.

    On TensorFlow, tracing a custom gradient puts a function into a registry that nothing ever leaves, and with the
    function its graph and all that the graph calls. On JAX, what was compiled is kept. Graphs are cycles, and the C
    library keeps what is freed.
    """
    global size_before
    registry = gradient_registry()
    known = set(registry)
    yield
    for name in registry.keys() - known:
        if name.startswith("CustomGradient"):
            del registry[name]
    if size() > size_before + STEP:
        gc.collect()
        if backend() == "jax":
            sys.modules["jax"].clear_caches()
        if hasattr(LIBC, "malloc_trim"):
            LIBC.malloc_trim(0)
        size_before = size()


def backend():
    import keras

    return keras.backend.backend()


def gradient_registry():
    if backend() != "tensorflow":
        return {}
    from tensorflow.python.framework import ops  # there is no public way to it

    return ops.gradient_registry._registry


LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def size():
    """Bytes of memory of this process, 0 where nobody tells."""
    if LIBC is None:
        return 0
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def few_objects():
    """Hides all objects that there are from the garbage collector.

    Keras collects garbage for each kernel that it quantizes, which takes long where there are as many objects as
    the tests before have left behind.
    """
    gc.collect()
    gc.freeze()
