from keras_attention.ops.additive import additive_scores
from keras_attention.ops.attend import attend
from keras_attention.ops.masks import in_band, require_boolean
from keras_attention.ops.positions import alibi, alibi_slopes, distances, relative_bucket, rotate, sinusoidal
from keras_attention.ops.scores import dot_product
from keras_attention.ops.softmax import masked_softmax

__all__ = [
    "additive_scores",
    "alibi",
    "alibi_slopes",
    "attend",
    "distances",
    "dot_product",
    "in_band",
    "masked_softmax",
    "relative_bucket",
    "require_boolean",
    "rotate",
    "sinusoidal",
]
