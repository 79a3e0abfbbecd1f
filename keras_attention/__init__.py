"""Attention, from the equation to the model."""

from keras_attention import decoding, export, layers, models, ops, training, visualize

__all__ = ["decoding", "export", "layers", "models", "ops", "training", "visualize"]

__version__ = "0.1.0"
