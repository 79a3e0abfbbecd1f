"""Scaled dot-product attention, without weights."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_sequences, check_visibility
from keras_attention.layers.bases.full_precision import KeepsBiasPrecision
from keras_attention.ops import attend, require_boolean
from keras_attention.ops.paths.chosen_queries import chosen_dims
from keras_attention.ops.require import require_number, require_rate, require_seed
from keras_attention.ops.runtime.replicas import next_seed
from keras_attention.ops.shapes.padding import padding_masks
from keras_attention.types import LayerOptions, MaybeScores, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ScaledDotProductAttention(KeepsBiasPrecision, BaseLayer):
    r"""Scaled dot-product attention over projected queries, values and keys. No weights.

    $$ \mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{Q K^\top}{\sqrt{H}}\right) V $$

    as in "Attention Is All You Need", eq. 1
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with B
    batch, T queries, S keys, N heads, K key/value heads, H and V sizes of a head:

        scores:  [B, N, T, S] = softmax over S of query . key * scale + attention_bias, where visible
        context: [B, T, N, V] = scores . value

    A single head needs no axis of its own: [B, T, H] in, [B, T, V] out; the scores are
    still [B, 1, T, S].

    Masking: Keras masks of `query`, `value` and `key` are used, and that of `query` is
    propagated. A query without visible keys gets zeros. Padding is zeroed first, so
    that NaN in it reaches neither the output nor a gradient.

    Args:
        scale: Float; `None` means `1 / sqrt(H)`, `1.0` the plain dot product.
        dropout: Float in [0, 1): the fraction of scores dropped in training.
        seed: Int, seed of the dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        query: [B, T, N, H] or [B, T, H].
        value: [B, S, K, V] or [B, S, V]; `None` means `query`. K divides N.
        key: [B, S, K, H] or [B, S, H]; `None` means `value`.
        query_mask: [B, T]. True marks positions that take part; `None` means the Keras
            mask.
        value_mask, key_mask: [B, S]. A key is visible only if both allow it.
        attention_mask: Boolean or integer [T, S], [B, T, S] or [B, N, T, S]. True marks
            positions that take part.
        return_attention_scores: Whether to also return the scores.
        score_queries: Integers [R], positions of queries (negative ones from the end): the
            scores are those of these queries alone, and no others are computed.
        training: Whether to apply dropout.
        use_causal_mask: Whether query t attends to key s only if
            `s <= t + query_offset`.
        attention_bias: Added to the logits: broadcastable to [B, N, T, S], or by
            distance [1, N, T+S-1] as `ALiBi` and `RelativePositionBias` return it. -inf
            masks a key. It is not cast to half precision.
        query_offset: Position of the first query among the keys.
        mask: The Keras mask of a single input. The same as `query_mask`.

    Returns:
        [B, T, N, V] or [B, T, V]; or (context, scores [B, N, T, S]) with
        `return_attention_scores`, with `score_queries` [B, N, R, S].

    Raises:
        ValueError: If a mask is floating, or a shape does not fit.

    Example:

    >>> from keras_attention.layers import ScaledDotProductAttention
    >>> query, value = keras.Input((None, 4, 8)), keras.Input((None, 4, 16))
    >>> ScaledDotProductAttention()(query, value, key=keras.Input((None, 4, 8))).shape
    (None, None, 4, 16)
    """

    def __init__(
        self, scale: float | None = None, dropout: float = 0.0, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.scale = require_number(scale, "scale", optional=True)
        self.dropout = require_rate(dropout, "dropout")
        self.seed = require_seed(seed)
        self.supports_masking = True
        if dropout:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, query_shape, value_shape=None, key_shape=None):
        self._check_shapes(query_shape, value_shape, key_shape)

    def call(
        self,
        query: Tensor,
        value: Tensor | None = None,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
        attention_bias: Tensor | None = None,
        query_offset: int | Tensor = 0,
        mask: Tensor | None = None,
        score_queries: Tensor | None = None,
    ) -> MaybeScores:
        query_mask = mask if query_mask is None else query_mask
        if value is None:
            value, value_mask = query, query_mask if value_mask is None else value_mask
        key = value if key is None else key
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        self._check(query, value, key, masks, attention_mask, attention_bias)
        dims = ops.shape(query)[:2], ops.shape(value)[:2]
        query_mask, key_mask = padding_masks(*dims, **masks, attention_mask=attention_mask)
        one_head = len(query.shape) == 3
        query, key, value = (ops.expand_dims(x, 2) if one_head else x for x in self._autocast(query, key, value))
        dropout = self.dropout if training else 0.0
        masks = {"mask": require_boolean(attention_mask), "query_mask": query_mask, "key_mask": key_mask}
        band = {"bias": attention_bias, "causal": use_causal_mask, "query_offset": query_offset}
        random = {"dropout": dropout, "seed": next_seed(self.seed_generator) if dropout else None}
        options = {"scale": self.scale, "return_scores": return_attention_scores, "training": bool(training)}
        options["score_queries"] = score_queries
        result = attend(query, key, value, **masks, **band, **random, **options)
        context, *scores = result if return_attention_scores else (result,)
        context = ops.squeeze(context, 2) if one_head else context
        return (context, *scores) if scores else context

    def compute_output_spec(self, *args, **kwargs):
        given = self._call_arguments(*args, **kwargs)
        query, value = given["query"], given["value"]
        query_mask = given["mask"] if given["query_mask"] is None else given["query_mask"]
        masks = {"query_mask": query_mask, "value_mask": given["value_mask"], "key_mask": given["key_mask"]}
        scores = self._check(query, value, given["key"], masks, given["attention_mask"], given["attention_bias"])
        scores = chosen_dims(scores, given["score_queries"])
        size = (query if value is None else value).shape[-1]
        context = keras.KerasTensor((*query.shape[:-1], size), dtype=self.compute_dtype)
        if not given["return_attention_scores"]:
            return context
        return context, keras.KerasTensor(scores, dtype=self.compute_dtype)

    def compute_output_shape(self, query_shape, value_shape=None, key_shape=None):
        self._check_shapes(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], (value_shape or query_shape)[-1])

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "dropout": self.dropout, "seed": self.seed}

    def _check_shapes(self, query, value, key):
        if len(query) not in (3, 4):
            raise ValueError(f"`query` must be [B, T, H] or [B, T, N, H]. Received: query.shape={tuple(query)}")
        value = query if value is None else value
        key = value if key is None else key
        # Key/value heads may be fewer than the queries' if they divide them: compared apart from the lengths.
        check_sequences(*(tuple(x[:2]) + tuple(x[-1:]) for x in (query, value, key)), (1,))
        received = f"Received: query.shape={tuple(query)}, value.shape={tuple(value)}, key.shape={tuple(key)}"
        if not len(query) == len(value) == len(key):
            raise ValueError(f"`query`, `value` and `key` must have the same rank. {received}")
        if query[-1] != key[-1]:
            raise ValueError(f"`query` and `key` must have equal sizes. {received}")
        if len(query) == 4 and None in (query[2], key[2]):
            raise ValueError(f"The heads of `query`, `value` and `key` must be known. {received}")
        if len(query) == 4 and (value[2] != key[2] or query[2] % key[2]):
            raise ValueError(f"The heads of `query` must be a multiple of those of `value` and `key`. {received}")

    def _check(self, query, value, key, masks, attention_mask, bias):
        """Raises for wrong shapes, naming the argument. Returns the static shape of the scores."""
        self._check_shapes(*(None if x is None else tuple(x.shape) for x in (query, value, key)))
        heads = query.shape[2] if len(query.shape) == 4 else 1
        keys = tuple((query if value is None else value).shape[:2])
        return check_visibility(masks, attention_mask, bias, heads, (1,), tuple(query.shape[:2]), keys)
