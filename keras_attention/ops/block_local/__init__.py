"""Block-local attention of the Image Transformer: blocks of queries, each with its memory block."""

from keras_attention.ops.block_local.attention import attend
from keras_attention.ops.block_local.cache import attend_cached
from keras_attention.ops.block_local.masks import Blocks

__all__ = ["Blocks", "attend", "attend_cached"]
