"""Keras's extension point of `MultiHeadAttention`: `_compute_attention`."""

import math

from keras import ops

from keras_attention.layers.bases.flash_attention import block_size
from keras_attention.ops import masked_softmax, require_boolean
from keras_attention.ops.attention import attend_axes, attend_row
from keras_attention.ops.paths.chosen_queries import require_queries, scores_at
from keras_attention.ops.runtime.replicas import next_seed
from keras_attention.ops.shapes.axes import free_axes, swap_heads
from keras_attention.ops.visibility import visible_pairs

LETTERS = "abcdefg"  # the axes before the heads; attended key axes are capitals


class ExtensionPoint:
    """Mixin of `MultiHeadAttention`: the methods that subclasses may override and the private attributes of Keras's."""

    def _compute_attention(
        self,
        query,
        key,
        value,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
        use_causal_mask=False,
        **given,
    ):
        """Computes attention from projected queries, keys and values.

        A subclass may override it as in `keras.layers.MultiHeadAttention`, which has the first six arguments.
        `attention_mask` then combines all masks: padding, causal mask and window.

        Args:
            query: [B, *T, N, H].
            key: [B, *S, N, H].
            value: [B, *S, N, V].
            attention_mask: Broadcastable to the scores, or without their axis of heads. True marks positions that take
                part.
            training: Whether to apply dropout.
            return_attention_scores: Whether the scores are needed.
            use_causal_mask: Whether query t attends to key s only if `s <= t`.
            **given: Further arguments of `attend_axes`, passed only by `call`.

        Returns:
            context [B, *T, N, V], and the scores [B, *free, N, *T, *S] or `None`.
        """
        query, key, value = (ops.convert_to_tensor(x) for x in (query, key, value))
        result = attend_axes(
            query,
            key,
            value,
            self._axes(len(query.shape) - 1),
            mask=require_boolean(attention_mask),
            causal=use_causal_mask,
            return_scores=return_attention_scores,
            block_size=block_size(self.flash_attention),
            training=bool(training),
            **self._dropout_options(training),
            **given,
        )
        return result if return_attention_scores else (result, None)

    def _dropout_options(self, training):
        dropout = self.dropout if training else 0.0
        return {"dropout": dropout, "seed": next_seed(self._dropout_layer.seed_generator) if dropout else None}

    @property
    def _computes_attention(self):
        """Whether no subclass overrides `_compute_attention`."""
        return type(self)._compute_attention is ExtensionPoint._compute_attention

    def _attend(self, query, key, value, attention_mask, training, scored, use_causal_mask, projected=None, **given):
        """Calls `_compute_attention`; a subclass's gets one combined mask and as many key heads as query heads.

        With `projected`, a cache or a memory, keys are [B, K, S, H] and values [B, K, S, V], as it holds them.
        """
        given |= {"window": self.sliding_window, **self._on_logits()}
        axes = self._axes(len(query.shape) - 1)
        given["chosen"] = require_queries(given["chosen"], [query.shape[axis] for axis in axes])
        given["bias"] = self._bias(query, key, 1 if projected is None else 2, given["query_offset"], given["bias"])
        if projected is not None:
            if query.shape[1] == 1 and self._computes_attention:
                chosen = given.pop("chosen")
                given |= {"mask": require_boolean(attention_mask), **self._dropout_options(training)}
                result = attend_row(query, key, value, causal=use_causal_mask, return_scores=scored, **given)
                return (result[0], scores_at(result[1], chosen, 1)) if scored else (result, None)
            key, value = swap_heads(key), swap_heads(value)
        if self._computes_attention:
            return self._compute_attention(
                query, key, value, attention_mask, training, scored, use_causal_mask, **given
            )
        masks = {name: given[name] for name in ("query_mask", "key_mask", "query_offset", "window")}
        bias = given["bias"]
        self._refuse_changed_logits()
        dims = ops.shape(query)[:-2], ops.shape(key)[:-2]
        mask = visible_pairs(axes, *dims, mask=require_boolean(attention_mask), causal=use_causal_mask, **masks)
        groups = self.num_heads // self.num_key_value_heads
        key, value = (x if groups == 1 else ops.repeat(x, groups, axis=-2) for x in (key, value))
        # Subclasses written for Keras have no bias argument: it is passed by keyword, or is an error.
        more = {} if bias is None else {"attention_bias": bias}
        context, scores = self._compute_attention(query, key, value, mask, training, scored, **more)
        return context, scores_at(scores, given["chosen"], len(axes))

    def _refuse_changed_logits(self):
        if self.logit_cap is not None or self.use_sinks:
            raise ValueError(
                "`logit_cap` and `use_sinks` are not supported where a subclass overrides `_compute_attention`. "
                f"Received: logit_cap={self.logit_cap}, use_sinks={self.use_sinks}"
            )

    def _masked_softmax(self, attention_scores, attention_mask=None):
        """Scores from logits [B, *free, N, *T, *S]: zero where the mask, which may have fewer axes, is false."""
        attended = len(self._attention_axes)
        if attention_mask is not None:
            attention_mask = require_boolean(attention_mask)
            while len(attention_mask.shape) < len(attention_scores.shape):
                attention_mask = ops.expand_dims(attention_mask, len(attention_mask.shape) - 2 * attended)
        shape = ops.shape(attention_scores)
        flat = (*shape[: len(shape) - attended], math.prod(shape[len(shape) - attended :]))
        if attention_mask is not None:
            attention_mask = ops.reshape(ops.broadcast_to(attention_mask, shape), flat)
        return ops.reshape(masked_softmax(ops.reshape(attention_scores, flat), attention_mask), shape)

    @property
    def _num_heads(self):
        return self.num_heads

    @property
    def _key_dim(self):
        return self.key_dim

    @property
    def _value_dim(self):
        return self.value_dim

    @property
    def _dropout(self):
        return self.dropout

    @property
    def _use_bias(self):
        return self.use_bias

    @property
    def _use_gate(self):
        return self.use_gate

    @property
    def _sliding_window(self):
        return self.sliding_window

    @property
    def _flash_attention(self):
        return self.flash_attention

    @property
    def _inverse_sqrt_key_dim(self):
        return 1 / math.sqrt(self.key_dim)

    @property
    def _attention_axes(self):
        """The attended axes, counted from the first once the rank of the inputs is known."""
        return self._axes(self._rank) if self.built else self.attention_axes

    @property
    def _dot_product_equation(self):
        """The einsum of (key, query) -> logits."""
        query, key, scores = self._letters()
        return f"{key}nh,{query}nh->{scores}"

    @property
    def _combine_equation(self):
        """The einsum of (scores, value) -> context."""
        query, key, scores = self._letters()
        return f"{scores},{key}nh->{query}nh"

    def _letters(self):
        axes = self._attention_axes
        query = LETTERS[: self._rank - 1]
        key = "".join(letter.upper() if i in axes else letter for i, letter in enumerate(query))
        free = "".join(query[i] for i in free_axes(len(query), axes))
        return query, key, f"{free}n{''.join(query[i] for i in axes)}{''.join(key[i] for i in axes)}"
