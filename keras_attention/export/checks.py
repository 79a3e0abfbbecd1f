"""Checks of the arguments of exports."""

import keras

from keras_attention.extras import install, installed
from keras_attention.ops.require import require_bool


def require_model(model, exporter):
    """Raises unless `model` is a built Keras model on the TensorFlow backend; `exporter` is the caller's name."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"{exporter} needs the TensorFlow backend. Received: {keras.backend.backend()}. Save the model "
            "with `model.save('m.keras')` and export it in a process started with KERAS_BACKEND=tensorflow."
        )
    if not isinstance(model, keras.layers.Layer):
        raise ValueError(f"`model` must be a Keras model. Received: {model!r}")
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name} once on data first.")


def require_verify(verify):
    """Raises unless `verify` is a bool, or a dict of examples."""
    if not isinstance(verify, dict):
        require_bool(verify, "verify")


def require_extra(*modules):
    """Raises an `ImportError` that names the extra to install if one of its packages is missing."""
    missing = [name for name in modules if not installed(name)]
    if missing:
        raise ImportError(f"This export needs {', '.join(missing)}: {install('export')}", name=missing[0])
