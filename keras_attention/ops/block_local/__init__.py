"""Block-local attention of the Image Transformer: each block of queries attends to its memory block."""

from keras_attention.ops.block_local.attention import attend
from keras_attention.ops.block_local.cache import attend_cached
from keras_attention.ops.block_local.masks import Blocks

__all__ = ["Blocks", "attend", "attend_cached"]
