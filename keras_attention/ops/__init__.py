from keras_attention.ops.attend import attend
from keras_attention.ops.masks import in_band, require_boolean
from keras_attention.ops.scores import dot_product
from keras_attention.ops.softmax import masked_softmax

__all__ = ["attend", "dot_product", "in_band", "masked_softmax", "require_boolean"]
