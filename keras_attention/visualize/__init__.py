"""Attention scores of any `keras.Model`, and heat maps of them."""

from keras_attention.visualize.plot import plot_attention
from keras_attention.visualize.scores import attention_scores

__all__ = ["attention_scores", "plot_attention"]
