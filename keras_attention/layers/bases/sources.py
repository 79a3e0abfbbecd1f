"""Where multi-head attention gets keys, values and their padding from: the inputs, a memory or a cache."""

from keras import ops

from keras_attention.layers.bases.checks import (
    check_cache,
    check_cache_arguments,
    check_memory,
    check_sequences,
    check_visibility,
)
from keras_attention.ops.cache import write_rows
from keras_attention.ops.masks import both, require_boolean
from keras_attention.ops.shapes.padding import padding_masks, zero_padding
from keras_attention.ops.shapes.sizes import shape_of


class ReadsSources:
    """Mixin of `MultiHeadAttention`: checks of its inputs, their masks, and the projected keys and values."""

    def _check(
        self,
        query,
        value,
        key,
        memory,
        cache,
        cache_index,
        query_mask,
        value_mask,
        key_mask,
        attention_mask,
        attention_bias,
    ):
        """Raises for wrong shapes, naming the argument. Returns the static shape of the scores."""
        axes = self._axes(len(query.shape))
        check_sequences(*(None if x is None else tuple(x.shape) for x in (query, value, key)), axes)
        check_cache_arguments(memory, cache, cache_index)
        sizes = (self.num_key_value_heads, self.key_dim, self.value_dim)
        check_memory(memory, query, value, sizes)
        check_cache(cache, cache_index, query, value, sizes)
        projected = memory if cache is None else cache
        keys = (query if value is None else value).shape[:-1] if projected is None else projected["key"].shape[::2]
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        dims = tuple(query.shape[:-1]), tuple(keys)
        return check_visibility(masks, attention_mask, attention_bias, self.num_heads, axes, *dims)

    def _padding(self, query, value, key, memory, cache, cache_index, query_mask, value_mask, key_mask, attention_mask):
        """Boolean masks of the queries [B, T] and of the keys [B, S], or `None`."""
        projected = memory if cache is None else cache
        if projected is None:
            value_mask = query_mask if value is None and value_mask is None else value_mask
            keys = shape_of(query if value is None else value)[:-1]
        else:
            keys = shape_of(projected["key"])[:3:2]  # [B, S] of [B, K, S, H]
        nobody = attention_mask if projected is None and len(query.shape) == 3 else None
        queries, keys = padding_masks(shape_of(query)[:-1], keys, query_mask, value_mask, key_mask, nobody)
        if cache is not None and queries is not None and "mask" not in cache:
            everything = ops.ones(ops.shape(cache["key"])[:3:2], dtype="bool")
            keys = both(keys, write_rows(everything, queries, cache_index))
        return queries, keys

    def _keys_and_values(self, query, queries, value, key, projected, query_mask, key_mask):
        """Keys and values in heads, and the mask of the keys; `projected` is a memory, a cache or `None`.

        `queries` are `query` without its padding.
        """
        if projected is None:
            value, key = query if value is None else value, None if key is value else key
            same = value is query and key is None and key_mask is query_mask  # zeroed once
            projected = self._project(queries, None, None) if same else self._project(value, key, key_mask)
            return projected["key"], projected["value"], key_mask
        padding = None if key_mask is None else ops.expand_dims(key_mask, 1)
        keys, values = (zero_padding(projected[name], padding) for name in ("key", "value"))
        # Padding in the cache is finite: it need not be zeroed.
        return keys, values, both(key_mask, require_boolean(projected.get("mask"), "cache['mask']"))
