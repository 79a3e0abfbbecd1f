"""What a paper reports of a model, as Keras metrics."""

from keras_attention.metrics.bits_per_dim import BitsPerDim

__all__ = ["BitsPerDim"]
