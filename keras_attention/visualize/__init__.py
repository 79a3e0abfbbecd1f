"""Attention scores of any `keras.Model`, numbers from them, and pictures of them."""

from keras_attention.visualize.plot import plot_attention
from keras_attention.visualize.scores import attention_scores
from keras_attention.visualize.summaries import head_entropy, mean_distance, rollout

__all__ = ["attention_scores", "plot_attention", "rollout", "head_entropy", "mean_distance"]
