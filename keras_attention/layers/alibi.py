"""ALiBi: attention with linear biases."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.distance_bias import DistanceBias
from keras_attention.ops import alibi
from keras_attention.ops.require import require_int
from keras_attention.types import LayerOptions


@keras.saving.register_keras_serializable(package="keras_attention")
class ALiBi(DistanceBias):
    r"""ALiBi: attention bias that falls linearly with the distance of query and key. No weights.

    $$ \mathrm{softmax}(q_t \cdot k_s - m_n |t - s|), \quad m_n = 2^{-8 n / N} $$

    as in "Train Short, Test Long", section 3
    ([Press et al., 2022](https://arxiv.org/abs/2108.12409)). Written out, with
    T queries, S keys, N heads:

        slopes: [N]
        bias:   [1, N, T+S-1] = -slopes * |distance|, distance = s - (t + query_offset)

    Entry j of the bias is that of the distance `s - t = j - (T-1)`, so it takes linear
    memory. Pass it as `attention_bias`; the blockwise path builds no [T, S] tensor.

    Differs from the paper: the paper is causal; here keys after the query are penalized
    like keys before it. With a causal mask the two are the same.

    Masking: ignores and produces no mask.

    Args:
        num_heads: Positive int; if not a power of two, the slopes are those of the
            published code.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        query: Tensor whose axis 1 is T.
        key: Tensor whose axis 1 is S; `None` means `query`.
        query_offset: Position of the first query among the keys: int or int32 scalar
            tensor (in decoding, `cache_index`).

    Returns:
        [1, N, T+S-1]; float32 also under float16 and bfloat16, as the logits.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import ALiBi, MultiHeadAttention
    >>> x = np.ones((2, 5, 16), "float32")
    >>> tuple(MultiHeadAttention(num_heads=4, key_dim=8)(x, x, attention_bias=ALiBi(num_heads=4)(x)).shape)
    (2, 5, 16)
    """

    def __init__(self, num_heads: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.num_heads = require_int(num_heads, "num_heads")

    def _of_distances(self, distance, dtype):
        return ops.cast(alibi(distance, self.num_heads), dtype)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}
