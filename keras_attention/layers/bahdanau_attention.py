"""Bahdanau's additive attention."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.additive_weights import AdditiveWeights
from keras_attention.layers.bases.memory_attention import mix_all, mix_one, see
from keras_attention.layers.bases.projections import clone
from keras_attention.ops import additive_attend, additive_logits, masked_softmax
from keras_attention.ops.recurrence import recur
from keras_attention.ops.require import require_bool
from keras_attention.types import Initializer, LayerOptions, Nest, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class BahdanauAttention(AdditiveWeights):
    r"""Additive attention (Bahdanau) with projections of queries and keys.

    $$ e_{ts} = v^\top \tanh(W q_t + U k_s), \quad c_t = \sum_s \mathrm{softmax}_s(e_{ts}) \, h_s $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate", section 3.1 and appendix A.1.2
    ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)). Written out, with B batch, T queries, S keys, U units:

        query:   [B, T, U]  = query . W
        key:     [B, S, U]  = key . U, once for all steps
        scores:  [B, T, S]  = softmax over S of vector . tanh(query + key), where visible
        context: [B, T, Dv] = scores . value

    With `normalize`, the vector is `scale * vector / |vector|` and a bias is added inside the tanh, the weight
    normalization of [Salimans and Kingma, 2016](https://arxiv.org/abs/1602.07868) as tensorflow-addons has it. With
    `coverage`, `coverage_vector * (sum of the scores of all previous queries)` is added inside the tanh, as in "Get To
    The Point", eq. 11 ([See et al., 2017](https://arxiv.org/abs/1704.04368)); the queries then run in a loop.

    Weights: `query/kernel` [Dq, U] (W), `key/kernel` [Dk, U] (U), `vector` [U] (v); `scale` [] (g), `bias` [U] (b),
    `coverage_vector` [U] if enabled.

    Masking: Keras masks of `query`, `value` and `key` are used, and that of `query` is propagated. A query without
    visible keys gets zeros. Padding is zeroed first, so that NaN in it reaches neither the output nor a gradient.

    Args:
        units: Positive int, U.
        normalize: Whether to normalize the vector; its scale g starts at `sqrt(1 / units)`.
        score_bias: Whether to add b inside the tanh; `None` means the value of `normalize`.
        coverage: Whether to add the coverage, the sum of the previous scores.
        kernel_initializer: Initializer of W and U (in the paper normal with standard deviation 0.001).
        vector_initializer: Initializer of v (zeros in the paper) and of the coverage vector.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        query: [B, T, Dq].
        value: [B, S, Dv], the memory.
        key: [B, S, Dk]; `None` means `value`.
        query_mask: [B, T]. True marks positions that take part; `None` means the Keras mask.
        value_mask, key_mask: [B, S]. A key is visible only if both allow it.
        attention_mask: Boolean or integer [T, S] or [B, T, S]. True marks positions that take part.
        return_attention_scores: Whether to also return the scores.
        training: Ignored.

    Returns:
        [B, T, Dv]; or (context, scores [B, T, S]) with `return_attention_scores`.

    Raises:
        ValueError: If a mask is floating, or a shape does not fit.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import BahdanauAttention
    >>> layer, memory = BahdanauAttention(units=8), np.ones((2, 7, 6))
    >>> tuple(layer(np.ones((2, 5, 4)), memory).shape)
    (2, 5, 6)
    >>> projected = layer.project_memory(memory, lengths=np.array([7, 4]))
    >>> context, scores, state = layer.step(np.ones((2, 4)), projected, layer.start(projected))
    >>> tuple(context.shape), tuple(scores.shape)
    ((2, 6), (2, 7))
    """

    def __init__(
        self,
        units: int,
        normalize: bool = False,
        score_bias: bool | None = None,
        coverage: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        vector_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(units, normalize, score_bias, kernel_initializer, vector_initializer, **kwargs)
        self.coverage = require_bool(coverage, "coverage")

    def build(self, query_shape, value_shape, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        if self.coverage:
            self.coverage_vector = self.add_weight(
                shape=(self.units,), initializer=clone(self.vector_initializer), name="coverage_vector"
            )

    def start(self, memory: Nest) -> Nest:
        """Returns the initial state: `()`, or with `coverage` zeros [B, S]."""
        self._require_built("start")
        return ops.zeros(ops.shape(memory["key"])[:2], dtype=self._score_dtype()) if self.coverage else ()

    def step(
        self, query: Tensor, memory: Nest, state: Nest, training: bool | None = None
    ) -> tuple[Tensor, Tensor, Nest]:
        if not self.coverage:
            return super().step(query, memory, state, training)
        self._require_built("step")
        probs = self._covered(self._project_query(self._query(query)), memory, state, memory["mask"])
        return mix_one(probs, memory), self._cast(probs), state + probs

    def get_config(self):
        return {**super().get_config(), "coverage": self.coverage}

    def _attend(self, query, memory, query_mask, mask, scores):
        masks = {"mask": mask, "query_mask": query_mask, "key_mask": memory["mask"]}
        query, vector = self._project_query(query), self._score_vector()
        return additive_attend(query, memory["key"], memory["value"], vector, return_scores=scores, **masks)

    def _attend_all(self, query, memory, query_mask, mask, scores, training):
        if not self.coverage:
            return self._attend(query, memory, query_mask, mask, scores)
        query = self._project_query(query)
        visible = see(query, memory, query_mask, mask)

        def step(covered, x):
            probs = self._covered(ops.expand_dims(x["query"], 1), memory, covered, x["visible"])
            return probs, covered + probs

        start = self.start(memory)
        probs, _ = recur(step, start, start, {"query": query, "visible": visible})
        context = mix_all(probs, memory)
        return (context, probs) if scores else context

    def _covered(self, query, memory, coverage, visible):
        """Scores [B, S] of one projected query [B, 1, U], float32."""
        covered = {"coverage": coverage, "coverage_vector": self.coverage_vector}
        logits = additive_logits(query, memory["key"], self._score_vector(), **covered)
        return masked_softmax(logits[:, 0], visible)
