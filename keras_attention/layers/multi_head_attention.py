"""Multi-head attention."""

from collections.abc import Sequence
from typing import Unpack

import keras

from keras_attention.layers.bases.checks import check_sequences, require_features
from keras_attention.layers.bases.distance_bias import DistanceBias
from keras_attention.layers.bases.extension_point import ExtensionPoint
from keras_attention.layers.bases.full_precision import KeepsBiasPrecision
from keras_attention.layers.bases.placed_heads import PlacesHeads
from keras_attention.layers.bases.prepared_steps import PreparesSteps
from keras_attention.layers.bases.projections import ProjectsMemory
from keras_attention.layers.bases.sources import ReadsSources
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.ops.paths.chosen_queries import chosen_dims
from keras_attention.ops.require import require_bool, require_int, require_ints, require_rate, require_seed
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.types import Constraint, Initializer, Nest, PlainLayerOptions, Regularizer, Tensor

# Call arguments whose shapes are checked.
_CHECKED = (
    *("query", "value", "key", "memory", "cache", "cache_index"),
    *("query_mask", "value_mask", "key_mask", "attention_mask", "attention_bias"),
)


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiHeadAttention(KeepsBiasPrecision, ExtensionPoint, PreparesSteps, ReadsSources, PlacesHeads, ProjectsMemory):
    r"""Multi-head attention, a drop-in replacement for `keras.layers.MultiHeadAttention`.

    $$ \mathrm{MultiHead}(Q, K, V) = \mathrm{Concat}(\mathrm{head}_1, \ldots, \mathrm{head}_N) W^O, \quad
       \mathrm{head}_n = \mathrm{softmax}\left(\frac{Q W_n^Q (K W_n^K)^\top}{\sqrt{H}}\right) V W_n^V $$

    as in "Attention Is All You Need", section 3.2.2
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with B
    batch, T queries, S keys, N heads, K key/value heads, H `key_dim`, V `value_dim`:

        q: [B, T, N, H] = query . W_Q;  k: [B, S, K, H] = key . W_K;  v: [B, S, K, V] = value . W_V
        scores:  [B, N, T, S] = softmax over S of q . k / sqrt(H) + attention_bias, where visible
        output:  [B, T, E]    = (scores . v) . W_O

    Arguments and weights are those of `keras.layers.MultiHeadAttention`, in the same
    order, so that weights can be copied. In addition there are `attention_bias`,
    `query_offset`, `num_key_value_heads` (grouped-query attention:
    [Ainslie et al., 2023](https://arxiv.org/abs/2305.13245)), `rotary`,
    `query_key_norm`, `logit_cap`, `use_sinks` and a key/value cache for decoding;
    `layer(x)` is self-attention. A subclass may override
    `_compute_attention(query, key, value, attention_mask, training, return_attention_scores)`
    as in Keras: it gets the projected heads and one combined mask, and returns context
    and scores.

    Differs from the paper: the projections have biases unless `use_bias=False`. Differs
    from Keras: the context of a query without visible keys is zero; a float mask is an
    error; neither `return_attention_scores` nor `dropout` changes the output of
    inference; long sequences run blockwise, in memory that grows with T.

    Masking: Keras masks of `query`, `value` and `key` are used, and that of `query` is
    propagated. Padded inputs are zeroed before the projections, so NaN in them reaches
    neither the output nor a gradient. `attention_mask` is a boolean or integer mask per
    query and key, [T, S], [B, T, S] or [B, N, T, S]. True marks positions that take
    part. A key is visible only if every given mask allows it.

    Args:
        num_heads: Positive int, N.
        key_dim: Positive int, H: the size of a head of queries and keys.
        value_dim: Positive int, V; `None` means `key_dim`.
        dropout: Float in [0, 1): the fraction of scores dropped in training.
        use_bias: Whether the projections have biases.
        output_shape: Int or tuple: the features of the output; `None` means those
            of `query`.
        attention_axes: Int or tuple: the axes of `query` to attend over; `None` means
            all between batch and features. The others act as batch axes.
        sliding_window: Positive int: a query attends to keys less than this many
            positions away. `None` means all.
        flash_attention: `False` selects the dense path, `True` on CPUs the blockwise
            one at any length; `None` means `keras.config.is_flash_attention_enabled()`.
            If that is `None` too, and for `True` on GPUs and TPUs, `ops.attend` chooses
            by size and device. The output is the same.
        kernel_initializer, bias_initializer: Initializers of the projections.
        kernel_regularizer, bias_regularizer, activity_regularizer: Their regularizers.
        kernel_constraint, bias_constraint: Their constraints.
        use_gate: Whether to multiply the context by `sigmoid(query . W_G)`, before
            the output projection ([Qiu et al., 2025](https://arxiv.org/abs/2505.06708)).
        seed: Int, seed of the dropout.
        num_key_value_heads: Positive int, K, that divides N: the number of key/value
            heads, each shared by N / K query heads. `None` means N.
        rotary: `RotaryEmbedding` that rotates the projected queries and keys by their
            positions, or `None`. Inputs are then [B, T, D].
        position_bias: `ALiBi` or `RelativePositionBias`, whose bias of the distances is
            added to the logits, or `None`; a copy of it is used. Inputs are then [B, T, D].
        query_key_norm: Whether to divide each head of queries and of keys by its root
            mean square, with a learned scale, before the rotation
            ([Henry et al., 2020](https://arxiv.org/abs/2010.04245) divide by the norm).
        logit_cap: Positive float c: the logits before the bias are c tanh(logits / c)
            ([Gemma Team, 2024](https://arxiv.org/abs/2408.00118)). `None`: no cap.
        use_sinks: Whether each head has a learned logit that takes part in the sum of
            the softmax alone, so that scores may sum to less than 1
            ([Agarwal et al., 2025](https://arxiv.org/abs/2508.10925)).
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        query: [B, T, D], or [B, *axes, D].
        value: [B, S, Dv]; `None` means `query`.
        key: [B, S, Dk]; `None` means `value`.
        query_mask: [B, T]. True marks positions that take part; `None` means the Keras
            mask.
        value_mask, key_mask: [B, S]. A key is visible only if both allow it.
        attention_mask: See above.
        return_attention_scores: Whether to also return the scores.
        score_queries: Integers [R], positions of queries (negative ones from the end): the
            scores are those of these queries alone, and no others are computed. Over
            several axes, positions count along the flattened axes.
        training: Whether to apply dropout.
        use_causal_mask: Whether query t attends to key s only if
            `s <= t + query_offset`.
        attention_bias: Added to the logits: broadcastable to [B, N, T, S], or by
            distance [1, N, T+S-1] as `ALiBi` and `RelativePositionBias` return it. -inf
            masks a key. It is not cast to half precision.
        query_offset: Position of the first query among the keys, for causality, the
            window, `rotary` and `position_bias`.
        memory: What `project_memory` returned: constant keys and values, instead of
            `value` and `key`. `value_mask` is then [B, S] over it.
        cache: Key/value cache: what `make_cache` or the previous call returned; needs
            `cache_index`.
        cache_index: Position of the first query in the cache. Keys and values are
            written there, and the queries attend causally to all written positions that
            the `query_mask` of their call did not mark as padding. `value_mask` is then
            [B, L] over the cache.
        mask: The Keras mask of a single input. The same as `query_mask`.

    Returns:
        [B, T, E]; or (output, scores [B, N, T, S]) with `return_attention_scores`, the
        scores with all batch axes first, then N, the query axes (or R) and the key axes. With a
        `cache`, the new cache comes last: (output, cache) or (output, scores, cache).

    Raises:
        ValueError: If a mask is floating, or a shape does not fit.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import MultiHeadAttention
    >>> layer = MultiHeadAttention(num_heads=4, key_dim=8)
    >>> output, scores = layer(np.ones((2, 5, 16)), np.ones((2, 7, 16)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((2, 5, 16), (2, 4, 5, 7))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        activity_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        use_gate: bool = False,
        seed: int | None = None,
        *,
        num_key_value_heads: int | None = None,
        rotary: RotaryEmbedding | None = None,
        position_bias: DistanceBias | None = None,
        query_key_norm: bool = False,
        logit_cap: float | None = None,
        use_sinks: bool = False,
        **kwargs: Unpack[PlainLayerOptions],
    ) -> None:
        projections = {"kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer}
        projections |= {"kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer}
        projections |= {"kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint}
        projections |= {"use_bias": use_bias, "projection_activity_regularizer": activity_regularizer}
        heads = {"rotary": rotary, "position_bias": position_bias, "query_key_norm": query_key_norm}
        heads |= {"logit_cap": logit_cap, "use_sinks": use_sinks}
        super().__init__(**projections, use_gate=use_gate, **heads, **kwargs)
        self._set_sizes(num_heads, num_key_value_heads, key_dim, value_dim, output_shape)
        self._set_pairs(attention_axes, sliding_window, flash_attention)
        self._set_dropout(dropout, seed)
        self.supports_masking = True

    def _set_sizes(self, num_heads, num_key_value_heads, key_dim, value_dim, output_shape):
        self.num_heads = require_int(num_heads, "num_heads")
        self.key_dim = require_int(key_dim, "key_dim")
        self.value_dim = require_int(value_dim, "value_dim", optional=True) or self.key_dim
        self.num_key_value_heads = (
            require_int(num_key_value_heads, "num_key_value_heads", optional=True) or self.num_heads
        )
        if self.num_heads % self.num_key_value_heads:
            raise ValueError(
                "`num_heads` must be divisible by `num_key_value_heads`. "
                f"Received: num_heads={num_heads}, num_key_value_heads={num_key_value_heads}"
            )
        # Private: `output_shape` of a Keras layer is the shape of its output.
        self._output_shape = require_features(output_shape)

    def _set_pairs(self, attention_axes, sliding_window, flash_attention):
        self.attention_axes = require_ints(attention_axes, "attention_axes")
        self.sliding_window = require_int(sliding_window, "sliding_window", optional=True)
        self.flash_attention = require_bool(flash_attention, "flash_attention", optional=True)

    def _set_dropout(self, dropout, seed):
        self.dropout = require_rate(dropout, "dropout")
        self.seed = require_seed(seed)
        if dropout:  # only its seed is used: a checkpoint of Keras's layer has it in this position
            self._dropout_layer = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, query_shape, value_shape=None, key_shape=None):
        query_shape = tuple(query_shape)
        value_shape = query_shape if value_shape is None else tuple(value_shape)
        key_shape = value_shape if key_shape is None else tuple(key_shape)
        check_sequences(query_shape, value_shape, key_shape, self._axes(len(query_shape)))
        self._rank = len(query_shape)
        self._build_projections(query_shape, value_shape, key_shape, self._output_shape or query_shape[-1:])

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
        memory: Nest | None = None,
        cache: Nest | None = None,
        cache_index: int | Tensor | None = None,
        mask: Tensor | None = None,
        score_queries: Tensor | None = None,
    ) -> Nest:
        sources = {"value": value, "key": key, "memory": memory, "cache": cache, "cache_index": cache_index}
        masks = {"query_mask": mask if query_mask is None else query_mask, "attention_mask": attention_mask}
        masks |= {"value_mask": value_mask, "key_mask": key_mask}
        self._check(query, **sources, **masks, attention_bias=attention_bias)
        query_mask, key_mask = self._padding(query, **sources, **masks)
        query, value, key, memory, cache = self._autocast(query, value, key, memory, cache)
        queries = zero_padding(query, query_mask)
        if cache is not None:
            cache = self._write(cache, query if value is None else value, key, query_mask, cache_index)
            # Positions not yet written lie after the queries: the causal mask hides them.
            query_offset, use_causal_mask = cache_index, True
        projected = memory if cache is None else cache
        keys, values, key_mask = self._keys_and_values(query, queries, value, key, projected, query_mask, key_mask)
        rest = {"query_mask": query_mask, "key_mask": key_mask, "query_offset": query_offset, "bias": attention_bias}
        rest["chosen"] = score_queries
        given = keys, values, attention_mask, training, return_attention_scores, use_causal_mask, projected
        context, scores = self._attend(self._queries(queries, query_offset), *given, **rest)
        output, scores = self._project_out(context, scores, queries)
        more = [scores] * return_attention_scores + [cache] * (cache is not None)
        return (output, *more) if more else output

    def _project_out(self, context, scores, queries):
        """The output, and the scores or `None`."""
        output = self._output_dense(context * self._gate_dense(queries) if self.use_gate else context)
        if queries.shape[0] == 0:  # if empty in batch and positions, Keras's einsum returns a batch of one
            return output[:0], None if scores is None else scores[:0]
        return output, scores

    def compute_output_spec(self, *args, **kwargs):
        given = self._call_arguments(*args, **kwargs)
        mask, scored = given.pop("mask"), given.pop("return_attention_scores")
        given["query_mask"] = mask if given["query_mask"] is None else given["query_mask"]
        scores = self._check(**{name: given[name] for name in _CHECKED})
        axes = len(self._axes(len(given["query"].shape)))
        scores = chosen_dims(scores, given["score_queries"], axes)
        output = keras.KerasTensor(self.compute_output_shape(given["query"].shape), dtype=self.compute_dtype)
        more = [keras.KerasTensor(scores, dtype=self.compute_dtype)] * scored
        if given["cache"] is not None:
            more += [{name: keras.KerasTensor(x.shape, dtype=self.compute_dtype) for name, x in given["cache"].items()}]
        return (output, *more) if more else output

    def compute_output_shape(self, query_shape, value_shape=None, key_shape=None):
        check_sequences(query_shape, value_shape, key_shape, self._axes(len(query_shape)))
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "output_shape": self._output_shape,
            "attention_axes": self.attention_axes,
            "sliding_window": self.sliding_window,
            "flash_attention": self.flash_attention,
            "seed": self.seed,
            "num_key_value_heads": self.num_key_value_heads,
        }

    def _axes(self, rank):
        """The attended axes of inputs of this rank."""
        axes = range(1, rank - 1) if self.attention_axes is None else self.attention_axes
        return tuple(axis if axis >= 0 else rank + axis for axis in axes)
