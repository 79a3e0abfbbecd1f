"""Relative position bias of T5."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.distance_bias import DistanceBias
from keras_attention.ops import relative_bucket
from keras_attention.ops.require import is_int, require_bool, require_int
from keras_attention.types import Initializer, LayerOptions


@keras.saving.register_keras_serializable(package="keras_attention")
class RelativePositionBias(DistanceBias):
    r"""Relative position bias (T5): a trainable attention bias for each bucket of distances.

    $$ \mathrm{softmax}(q_t \cdot k_s + b_{n, \mathrm{bucket}(s - t)}) $$

    as in "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
    Transformer", section 2.1 ([Raffel et al., 2020](https://arxiv.org/abs/1910.10683)).
    Written out, with T queries, S keys, N heads:

        table: [num_buckets, N]
        bias:  [1, N, T+S-1] = table[bucket(distance)], distance = s - (t + query_offset)

    Entry j of the bias is that of the distance `s - t = j - (T-1)`, so it takes linear
    memory. Pass it as `attention_bias`; the blockwise path builds no [T, S] tensor, and
    the gradient reaches the table. T5 shares one layer among all blocks of a stack.

    Differs from the paper: T5 does not divide the dot product by sqrt(H) (its
    initialization does); that is the attention's `scale`, not this layer's.

    Masking: ignores and produces no mask.

    Args:
        num_heads: Positive int.
        num_buckets: Int, 32 in the paper; even and at least 4 if `bidirectional`,
            else at least 2.
        max_distance: Int, 128 in the paper: distances from here on share one bucket.
        bidirectional: `True` (encoder): keys after the query have their own half of the
            buckets. `False` (decoder): they share the bucket of distance 0.
        initializer: Initializer of the table.
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
    >>> from keras_attention.layers import MultiHeadAttention, RelativePositionBias
    >>> x = np.ones((2, 5, 16), "float32")
    >>> bias = RelativePositionBias(num_heads=4)(x)
    >>> tuple(MultiHeadAttention(num_heads=4, key_dim=8)(x, x, attention_bias=bias).shape)
    (2, 5, 16)
    """

    def __init__(
        self,
        num_heads: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = require_int(num_heads, "num_heads")
        self.bidirectional = require_bool(bidirectional, "bidirectional")
        least = 4 if bidirectional else 2
        if not is_int(num_buckets) or num_buckets < least or (bidirectional and num_buckets % 2):
            raise ValueError(
                f"`num_buckets` must be an int of at least {least}, even if `bidirectional`. "
                f"Received: num_buckets={num_buckets!r}, bidirectional={bidirectional}"
            )
        exact = (num_buckets // 2 if bidirectional else num_buckets) // 2
        if not is_int(max_distance) or max_distance <= exact:
            raise ValueError(
                f"`max_distance` must be an int beyond the {exact} exact buckets. "
                f"Received: max_distance={max_distance!r}, num_buckets={num_buckets}"
            )
        self.num_buckets = int(num_buckets)
        self.max_distance = int(max_distance)
        self.initializer = keras.initializers.get(initializer)

    def build(self, query_shape):
        self.table = self.add_weight(
            shape=(self.num_buckets, self.num_heads), initializer=self.initializer, autocast=False, name="table"
        )

    def _of_distances(self, distance, dtype):
        buckets = relative_bucket(distance, self.num_buckets, self.max_distance, self.bidirectional)
        rows = ops.take(ops.cast(self.table, dtype), buckets, axis=0)
        return ops.expand_dims(ops.transpose(rows), 0)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "num_buckets": self.num_buckets,
            "max_distance": self.max_distance,
            "bidirectional": self.bidirectional,
            "initializer": keras.initializers.serialize(self.initializer),
        }
