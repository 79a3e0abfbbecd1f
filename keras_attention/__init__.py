"""Attention, from the equation to the model."""

from keras_attention import decoding, export, layers, migrate, models, ops, training, visualize
from keras_attention.layers import *  # noqa: F403

__all__ = ["decoding", "export", "layers", "migrate", "models", "ops", "training", "visualize", *layers.__all__]

__version__ = "0.1.0"
