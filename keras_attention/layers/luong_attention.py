"""Luong's multiplicative attention, global or local."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.memory_attention import MemoryAttention, dense, project, require_equal_sizes
from keras_attention.layers.bases.projections import clone
from keras_attention.ops import additive_attend, attend, windowed_attend
from keras_attention.ops.masks import both
from keras_attention.ops.require import require_bool, require_choice, require_int, require_number
from keras_attention.types import Initializer, LayerOptions, Nest, Tensor

SCORES = ("dot", "general", "concat", "location")
WINDOWS = (None, "local_m", "local_p")


@keras.saving.register_keras_serializable(package="keras_attention")
class LuongAttention(MemoryAttention):
    r"""Multiplicative attention (Luong), global or local, with the dot, general, concat or location score.

    $$ \mathrm{score}(q_t, k_s) = q_t^\top k_s, \quad q_t^\top W k_s, \quad v^\top \tanh(W_q q_t + W_k k_s),
    \quad (W_l q_t)_s $$

    as in "Effective Approaches to Attention-based Neural Machine Translation", section 3
    ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)): dot, general, concat, location. Written out, with B batch,
    T queries, S keys, U units:

        key:     [B, S, Dq] = value (dot) or value . W (general) or rows of W_l (location); [B, S, U] for concat
        scores:  [B, T, S]  = softmax over S of query . key, or vector . tanh(query . W_q + key), where visible
        context: [B, T, Dv] = scores . value

    With a window (local attention), a query attends to the keys s with `|s - p| <= half_width`:

        local_m: p = t, the position of the query
        local_p: p = length * sigmoid(position_vector . tanh(query . W_p)), and every score is multiplied by
                 exp(-(s - p)^2 / (2 sigma^2)), sigma = half_width / 2

    Positions are counted from 0, as in `AttentionRNN`: those of queries without padding, those of keys from the first
    key that is not padding, so that padding may be on either side. `length` is the number of keys that are not padding.
    As in the paper, the scores of local_p are not renormalized: their sum is at most 1. With `renormalize`, the
    Gaussian is applied before the softmax, and the sum is 1.

    Weights: `key/kernel` [Dk, Dq] (general: W; the published W_a maps keys to queries), [Dk, U] (concat: W_k) or
    `location_kernel` [Dq, max_length] (W_l); `query/kernel` [Dq, U] and `vector` [U] (concat); `position/kernel`
    [Dq, Dq] and `position_vector` [Dq] (local_p); `scale` [] if enabled. No biases.

    Masking: Keras masks of `query`, `value` and `key` are used, and that of `query` is propagated. A query without
    visible keys gets zeros. Padding is zeroed first, so that NaN in it reaches neither the output nor a gradient.
    local_p needs a mask or lengths of the memory.

    Args:
        score: `"dot"` (queries and keys of the same size), `"general"`, `"concat"` or `"location"`.
        units: Positive int U; for concat only.
        window: `None` (the whole memory), `"local_m"` or `"local_p"`.
        half_width: Positive number, D in the paper.
        renormalize: Whether the scores of local_p are renormalized to sum to 1.
        max_length: Positive int, the number of positions with a weight; for location only. Keys beyond it are ignored,
            as in the paper.
        scale: Whether to multiply the logits by a trainable scalar, 1 at the start.
        kernel_initializer: Initializer of all matrices.
        vector_initializer: Initializer of the two vectors.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        query: [B, T, Dq].
        value: [B, S, Dv], the memory.
        key: [B, S, Dk]; `None` means `value`.
        query_mask: [B, T]. True marks positions that take part; `None` means the Keras mask.
        value_mask, key_mask: [B, S]. A key is visible only if both allow it.
        attention_mask: Boolean or integer [T, S] or [B, T, S]. True marks positions that take part.
        return_attention_scores: Whether to also return the scores.
        training: Whether this is part of a training step, see `ops.attend`.

    Returns:
        [B, T, Dv]; or (context, scores [B, T, S]) with `return_attention_scores`.

    Raises:
        ValueError: If a mask is floating, a shape does not fit, or local_p gets neither a mask nor lengths.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import LuongAttention
    >>> layer = LuongAttention(score="general", window="local_p", half_width=3)
    >>> tuple(layer(np.ones((2, 5, 4)), np.ones((2, 7, 6)), value_mask=np.ones((2, 7), bool)).shape)
    (2, 5, 6)
    """

    def __init__(
        self,
        score: str = "dot",
        units: int | None = None,
        window: str | None = None,
        half_width: float = 10,
        renormalize: bool = False,
        max_length: int | None = None,
        scale: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        vector_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.score = require_choice(score, "score", SCORES)
        self.units = units
        self.window = require_choice(window, "window", WINDOWS)
        self.half_width = require_number(half_width, "half_width", above=0)
        self.renormalize = require_bool(renormalize, "renormalize")
        self.max_length = max_length
        self.scale = require_bool(scale, "scale")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.vector_initializer = keras.initializers.get(vector_initializer)
        self._check_options()

    def build(self, query_shape, value_shape, key_shape=None):
        query_size, key_size = self._set_sizes(query_shape, value_shape, key_shape)
        self.query_dense = self.key_dense = self.position_dense = None
        if self.score == "concat":
            self.query_dense = self._dense(query_size, self.units, "query")
            self.key_dense = self._dense(key_size, self.units, "key")
            self.vector = self._vector(self.units, "vector")
        elif self.score == "general":
            self.key_dense = self._dense(key_size, query_size, "key")
        elif self.score == "location":
            self.location_kernel = self.add_weight(
                shape=(query_size, self.max_length), initializer=clone(self.kernel_initializer), name="location_kernel"
            )
        if self.window == "local_p":
            self.position_dense = self._dense(query_size, query_size, "position")
            self.position_vector = self._vector(query_size, "position_vector")
        if self.scale:
            self.logit_scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def start(self, memory: Nest) -> Nest:
        """Returns the initial state: `()`, or for local_m the position 0 of each query, [B]."""
        self._require_built("start")
        return ops.zeros(ops.shape(memory["value"])[:1], dtype="int32") if self.window == "local_m" else ()

    def step(
        self, query: Tensor, memory: Nest, state: Nest, training: bool | None = None
    ) -> tuple[Tensor, Tensor, Nest]:
        if self.window != "local_m":
            return super().step(query, memory, state, training)
        self._require_built("step")
        context, scores = self._attend(self._query(query), memory, None, None, True, position=ops.expand_dims(state, 1))
        return self._cast(context[:, 0]), self._cast(scores[:, 0]), state + 1

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "units": self.units,
            "window": self.window,
            "half_width": self.half_width,
            "renormalize": self.renormalize,
            "max_length": self.max_length,
            "scale": self.scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "vector_initializer": keras.initializers.serialize(self.vector_initializer),
        }

    def _check_options(self):
        for name, score in (("units", "concat"), ("max_length", "location")):
            size = getattr(self, name)
            if self.score == score:
                setattr(self, name, require_int(size, name))
            elif size is not None:
                raise ValueError(
                    f'`{name}` belongs to score="{score}". Received: {name}={size!r}, score={self.score!r}'
                )
        if self.renormalize and self.window != "local_p":
            raise ValueError(f'`renormalize` belongs to window="local_p". Received: window={self.window!r}')

    def _attend_all(self, query, memory, query_mask, mask, scores, training):
        return self._attend(query, memory, query_mask, mask, scores, training=training)

    def _attend(self, query, memory, query_mask, mask, scores, position=None, training=None):
        """`position`: [B, T], the positions of the queries if not 0 to T - 1."""
        given = {"mask": mask, "query_mask": query_mask, "key_mask": self._weighted(memory), "return_scores": scores}
        # All queries at once, no padding: the window of local_m is a band; `attend` computes nothing outside it.
        padded = position is not None or "position" in memory or "first" in memory
        band = self.window == "local_m" and self.score != "concat" and not padded
        local = {}
        if self.window is not None and not band:
            local = {"center": self._center(query, memory, position), "half_width": self.half_width}
            local = {**local, "gaussian": self.window == "local_p", "renormalize": self.renormalize}
        if self.score == "concat":
            vector = self.vector * self.logit_scale if self.scale else self.vector
            query = project(self.query_dense, query)
            return additive_attend(query, memory["key"], memory["value"], vector, **given, **local)
        query = query * ops.cast(self.logit_scale, query.dtype) if self.scale else query
        if local:
            return windowed_attend(query, memory["key"], memory["value"], **given, **local)
        heads = (ops.expand_dims(x, 2) for x in (query, memory["key"], memory["value"]))
        given |= {"window": int(self.half_width) + 1 if band else None, "training": bool(training)}
        result = attend(*heads, scale=1.0, **given)
        return (result[0][:, :, 0], result[1][:, 0]) if scores else result[:, :, 0]

    def _positions(self, queries, keys):
        """For a window: the positions of the queries, the first key that is not padding, and the number of keys."""
        positions = {}
        if self.window is not None and keys is not None:
            real = ops.cast(keys, "int32")
            positions["first"] = ops.sum(ops.cast(ops.cumsum(real, axis=1) == 0, "int32"), axis=1)
            positions["length"] = ops.sum(real, axis=1)
        if self.window == "local_m" and queries is not None:
            positions["position"] = ops.cumsum(ops.cast(queries, "int32"), axis=1) - 1
        return positions

    def _center(self, query, memory, position):
        """p of each query [B, T], as an index into the memory."""
        dtype = self._score_dtype()
        if self.window == "local_m":
            position = memory.get("position") if position is None else position
            if position is None:
                position = ops.expand_dims(ops.arange(ops.shape(query)[1], dtype="int32"), 0)
            center = ops.broadcast_to(ops.cast(position, dtype), ops.shape(query)[:2])
        else:
            hidden = ops.cast(ops.tanh(project(self.position_dense, query)), dtype)
            logits = ops.sum(hidden * ops.cast(self.position_vector, dtype), axis=-1)
            center = ops.expand_dims(ops.cast(memory["length"], dtype), 1) * ops.sigmoid(logits)
        return center + ops.expand_dims(ops.cast(memory["first"], dtype), 1) if "first" in memory else center

    def _project_key(self, key):
        if self.score != "location":
            return key if self.key_dense is None else self.key_dense(key)
        # The logit of a position does not depend on the memory there: its key is its row of the kernel.
        positions = ops.minimum(ops.arange(ops.shape(key)[1], dtype="int32"), self.max_length - 1)
        rows = ops.take(ops.transpose(ops.cast(self.location_kernel, self.compute_dtype)), positions, axis=0)
        return ops.broadcast_to(ops.expand_dims(rows, 0), (ops.shape(key)[0], *ops.shape(rows)))

    def _weighted(self, memory):
        """The mask of the memory; for the location score without the positions that have no weight."""
        S = memory["value"].shape[1]
        if self.score != "location" or (S is not None and self.max_length >= S):
            return memory["mask"]
        within = ops.arange(ops.shape(memory["value"])[1], dtype="int32") < self.max_length
        within = ops.broadcast_to(ops.expand_dims(within, 0), ops.shape(memory["value"])[:2])
        return both(memory["mask"], within)

    def _check_shapes(self, query, value, key):
        super()._check_shapes(query, value, key)
        if self.score == "dot":
            require_equal_sizes(query, value, key)

    def _require_lengths(self, mask):
        if self.window == "local_p" and mask is None:
            raise ValueError(
                'window="local_p" needs the lengths of the memory: pass `value_mask` (a call), or `mask` or `lengths` '
                "(`project_memory`). Received: none of them"
            )

    def _dense(self, size, units, name):
        return dense(size, units, name, clone(self.kernel_initializer), self.dtype_policy)

    def _vector(self, size, name):
        return self.add_weight(shape=(size,), initializer=clone(self.vector_initializer), name=name)

    def _projections(self):
        return [x for x in (self.query_dense, self.key_dense, self.position_dense) if x is not None]
