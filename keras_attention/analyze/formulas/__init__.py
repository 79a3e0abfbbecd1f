"""Formulas of the costs of Keras's layers and of this library's."""

from keras_attention.analyze.formulas import attention, convolution, dense, elementwise, local, recurrent, vision

__all__ = ["attention", "convolution", "dense", "elementwise", "local", "recurrent", "vision"]
