"""Attention, masks, position encodings, glimpses, likelihoods and image metrics as functions."""

from keras_attention.ops.additive import additive_attend, additive_logits
from keras_attention.ops.attention import attend
from keras_attention.ops.block_local.masks import local_mask_1d, local_mask_2d
from keras_attention.ops.gates import channel_pool, spatial_pool
from keras_attention.ops.glimpse_sensor import glimpses, soft_glimpses
from keras_attention.ops.image_quality import (
    peak_signal_to_noise_ratio,
    sharpness_difference,
    structural_similarity,
)
from keras_attention.ops.logistic_mixture import (
    logistic_mixture_log_prob,
    logistic_mixture_sample,
    logistic_mixture_size,
)
from keras_attention.ops.masks import in_band, require_boolean
from keras_attention.ops.monotonic import monotonic_alignment
from keras_attention.ops.non_local_operation import non_local
from keras_attention.ops.pixel_order import shift_right
from keras_attention.ops.pixels import pixel_log_prob
from keras_attention.ops.positions import (
    alibi,
    alibi_slopes,
    distances,
    relative_bucket,
    sinusoidal,
    sinusoidal_2d,
)
from keras_attention.ops.resize import resize_align_corners
from keras_attention.ops.rotary import rotary_rates, rotate
from keras_attention.ops.selection import select_candidates
from keras_attention.ops.softmax import masked_softmax
from keras_attention.ops.spectral import spectral_norm, spectral_step
from keras_attention.ops.windowed import windowed_attend
from keras_attention.ops.windows import gaussian_window

__all__ = [
    "additive_attend",
    "additive_logits",
    "alibi",
    "alibi_slopes",
    "attend",
    "channel_pool",
    "distances",
    "gaussian_window",
    "glimpses",
    "in_band",
    "local_mask_1d",
    "local_mask_2d",
    "logistic_mixture_log_prob",
    "logistic_mixture_sample",
    "logistic_mixture_size",
    "masked_softmax",
    "monotonic_alignment",
    "non_local",
    "peak_signal_to_noise_ratio",
    "pixel_log_prob",
    "relative_bucket",
    "require_boolean",
    "resize_align_corners",
    "rotary_rates",
    "rotate",
    "select_candidates",
    "sharpness_difference",
    "shift_right",
    "sinusoidal",
    "sinusoidal_2d",
    "soft_glimpses",
    "spatial_pool",
    "spectral_norm",
    "spectral_step",
    "structural_similarity",
    "windowed_attend",
]
