"""Attention scores of any `keras.Model`, numbers from them, and pictures of them."""

from keras_attention.visualize.alignment import plot_alignment
from keras_attention.visualize.bertviz import to_bertviz
from keras_attention.visualize.class_maps import grad_cam, grad_cam_plus_plus, saliency, score_cam
from keras_attention.visualize.gates import gates, plot_gates
from keras_attention.visualize.glimpses import animate_glimpses, plot_glimpses
from keras_attention.visualize.heads import plot_heads
from keras_attention.visualize.images import image_grid, overlay, point_maps, tile_images
from keras_attention.visualize.page import html
from keras_attention.visualize.plot import plot_attention
from keras_attention.visualize.scores import attention_scores
from keras_attention.visualize.summaries import flow, head_entropy, mean_distance, rollout

__all__ = [
    "attention_scores",
    "gates",
    "rollout",
    "flow",
    "head_entropy",
    "mean_distance",
    "plot_attention",
    "plot_alignment",
    "plot_heads",
    "plot_gates",
    "html",
    "to_bertviz",
    "saliency",
    "grad_cam",
    "grad_cam_plus_plus",
    "score_cam",
    "point_maps",
    "overlay",
    "image_grid",
    "tile_images",
    "plot_glimpses",
    "animate_glimpses",
]
