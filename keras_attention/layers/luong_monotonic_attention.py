"""Monotonic attention with Luong's multiplicative energies."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.memory_attention import MemoryAttention, dense, require_equal_sizes
from keras_attention.layers.bases.monotonic import Monotonic
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_bool, require_choice
from keras_attention.types import Initializer, LayerOptions

SCORES = ("dot", "general")


class _DotWeights(MemoryAttention):
    """Base class of attention with the dot or the general score: its weights."""

    def __init__(self, score, scale, kernel_initializer, **kwargs):
        super().__init__(**kwargs)
        self.score = require_choice(score, "score", SCORES)
        self.scale = require_bool(scale, "scale")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, query_shape, value_shape, key_shape=None):
        query_size, key_size = self._set_sizes(query_shape, value_shape, key_shape)
        self.query_dense = self.key_dense = None
        if self.score == "general":
            self.key_dense = dense(key_size, query_size, "key", clone(self.kernel_initializer), self.dtype_policy)
        if self.scale:
            self.logit_scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def get_config(self):
        return {
            **super().get_config(),
            "score": self.score,
            "scale": self.scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _project_key(self, key):
        return key if self.key_dense is None else self.key_dense(key)

    def _check_shapes(self, query, value, key):
        super()._check_shapes(query, value, key)
        if self.score == "dot":
            require_equal_sizes(query, value, key)


@keras.saving.register_keras_serializable(package="keras_attention")
class LuongMonotonicAttention(Monotonic, _DotWeights):
    r"""Monotonic attention with multiplicative (Luong) energies.

    $$ p_{ts} = \sigma(g \, q_t^\top W k_s + r), \quad
    \alpha_{ts} = p_{ts} \left((1 - p_{t,s-1}) \frac{\alpha_{t,s-1}}{p_{t,s-1}} + \alpha_{t-1,s}\right) $$

    as in "Online and Linear-Time Attention by Enforcing Monotonic Alignments", section 2
    ([Raffel et al., 2017](https://arxiv.org/abs/1704.00784)), with the energies of
    [Luong et al., 2015](https://arxiv.org/abs/1508.04025). Written out, with B batch, T queries, S keys:

        energies: [B, T, S]  = query . (value . W) * g + r
        scores:   [B, T, S]  = `ops.monotonic_alignment` of sigmoid(energies), one query after another
        context:  [B, T, Dv] = scores . value

    Differs from the paper: its energies are additive (`BahdanauMonotonicAttention`); `mode` is fixed for training and
    inference.

    Weights: `key/kernel` [Dk, Dq] (W) of the general score, `energy_bias` [] (r); `scale` [] (g) if enabled.

    Masking: Keras masks of `query`, `value` and `key` are used, and that of `query` is propagated. A query without
    visible keys gets zeros and leaves the alignment unchanged. Padding is zeroed first, so that NaN in it reaches
    neither the output nor a gradient.

    Args:
        score: `"general"`, or `"dot"`: without W, for queries and keys of the same size.
        mode: `"recursive"`, `"parallel"` or `"hard"`, see `ops.monotonic_alignment`. With `"hard"`, the weights get no
            gradient.
        sigmoid_noise: Standard deviation of the noise that is added to the energies in training, which pushes p towards
            0 or 1 (1 in the paper); no noise at inference.
        score_bias_init: Initial value of r (negative: attention starts spread over the whole memory).
        scale: Whether to train g, which starts at 1; else it is 1.
        kernel_initializer: Initializer of W.
        seed: Int, seed of the noise.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        query: [B, T, Dq].
        value: [B, S, Dv], the memory.
        key: [B, S, Dk]; `None` means `value`.
        query_mask: [B, T]. True marks positions that take part; `None` means the Keras mask.
        value_mask, key_mask: [B, S]. A key is visible only if both allow it.
        attention_mask: Boolean or integer [T, S] or [B, T, S]. True marks positions that take part.
        return_attention_scores: Whether to also return the scores.
        training: Whether to add noise.

    Returns:
        [B, T, Dv]; or (context, scores [B, T, S]) with `return_attention_scores`. The scores of a query sum to at
        most 1.

    Raises:
        ValueError: If a mask is floating, or a shape does not fit.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import LuongMonotonicAttention
    >>> tuple(LuongMonotonicAttention()(np.ones((2, 5, 4)), np.ones((2, 7, 6))).shape)
    (2, 5, 6)
    """

    def __init__(
        self,
        score: str = "general",
        mode: str = "parallel",
        sigmoid_noise: float = 0.0,
        score_bias_init: float = 0.0,
        scale: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            score,
            scale,
            kernel_initializer,
            mode=mode,
            sigmoid_noise=sigmoid_noise,
            score_bias_init=score_bias_init,
            seed=seed,
            **kwargs,
        )

    def _energies(self, query, memory):
        query, key = at_least_float32(query, memory["key"])
        energies = ops.matmul(query, ops.swapaxes(key, 1, 2))
        return energies * ops.cast(self.logit_scale, energies.dtype) if self.scale else energies
