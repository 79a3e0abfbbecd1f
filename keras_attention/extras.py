"""What is installed beside the package: a backend of Keras, and the packages of the extras in `setup.cfg`."""

import importlib.metadata
import importlib.util
import shlex
import sys

BACKENDS = ("tensorflow", "jax", "torch")


def installed(name):
    """Whether a package could be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def install(extra):
    """The command that installs an extra for the interpreter that runs, which may have no pip of its own."""
    python = shlex.quote(sys.executable)
    # Not `find_spec`, of which old versions of setuptools warn.
    own = next(importlib.metadata.distributions(name="pip"), None)
    pip = f"{python} -m pip" if own else f"python3 -m pip --python {python}"
    return f"{pip} install 'keras-attention-layers[{extra}]'"


def import_keras():
    """Imports Keras.

    Raises:
        ImportError: Its backend is not installed. Keras itself names a private module of the backend then.
    """
    try:
        import keras  # noqa: F401
    except ModuleNotFoundError as error:
        name = str(error.name).partition(".")[0]
        if name not in BACKENDS:
            raise
        raise ImportError(_no_backend(name), name=name) from None


def _no_backend(chosen):
    others = [name for name in BACKENDS if installed(name)]
    if others:
        return (
            f"Keras is set to use {chosen}, which is not installed. To use {' or '.join(others)} instead, set the "
            f"environment variable, for example KERAS_BACKEND={others[0]}, before Python starts. "
            f"To install {chosen}: {install(chosen)}"
        )
    return (
        "keras_attention needs TensorFlow, JAX or PyTorch, and none of them is installed. Choose the extra tensorflow, "
        f"jax or torch, for example: {install('tensorflow')}. "
        "With jax or torch, set the environment variable KERAS_BACKEND=jax or KERAS_BACKEND=torch, too."
    )
