"""Where a model looks: get the scores out of any `keras.Model`, draw them."""

from keras_attention.visualize.plot import plot_attention
from keras_attention.visualize.scores import attention_scores

__all__ = ["attention_scores", "plot_attention"]
