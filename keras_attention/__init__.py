"""Attention layers for Keras 3, from the equations to whole models."""

from keras_attention.extras import import_keras

import_keras()

from keras_attention import (  # noqa: E402 - Keras first
    analyze,
    decoding,
    export,
    layers,
    metrics,
    migrate,
    models,
    ops,
    training,
    visualize,
)
from keras_attention.layers import *  # noqa: E402, F403

PACKAGES = ["analyze", "decoding", "export", "layers", "metrics", "migrate", "models", "ops", "training", "visualize"]

__all__ = [*PACKAGES, *layers.__all__]

__version__ = "0.1.0"
