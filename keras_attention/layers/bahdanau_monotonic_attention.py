"""Monotonic attention with Bahdanau's additive energies."""

from typing import Unpack

import keras

from keras_attention.layers.bases.additive_weights import AdditiveWeights
from keras_attention.layers.bases.monotonic import Monotonic
from keras_attention.ops import additive_logits
from keras_attention.types import Initializer, LayerOptions


@keras.saving.register_keras_serializable(package="keras_attention")
class BahdanauMonotonicAttention(Monotonic, AdditiveWeights):
    r"""Monotonic attention with additive (Bahdanau) energies.

    $$ p_{ts} = \sigma(v^\top \tanh(W q_t + U k_s) + r), \quad
    \alpha_{ts} = p_{ts} \left((1 - p_{t,s-1}) \frac{\alpha_{t,s-1}}{p_{t,s-1}} + \alpha_{t-1,s}\right) $$

    as in "Online and Linear-Time Attention by Enforcing Monotonic Alignments", section 2
    ([Raffel et al., 2017](https://arxiv.org/abs/1704.00784)). Written out, with B batch, T queries, S keys, U units:

        energies: [B, T, S]  = vector . tanh(query . W + key . U) + r
        scores:   [B, T, S]  = `ops.monotonic_alignment` of sigmoid(energies), one query after another
        context:  [B, T, Dv] = scores . value

    The [B, T, S, U] tensor of the tanh is never built whole. `normalize` gives the energies that the paper recommends:
    `scale * vector / |vector|` instead of the vector, and a bias inside the tanh.

    Differs from the paper: `mode` is fixed for training and inference; the paper trains with `"parallel"` and decodes
    with `"hard"`.

    Weights: `query/kernel` [Dq, U] (W), `key/kernel` [Dk, U] (U), `vector` [U] (v), `energy_bias` [] (r); `scale` []
    (g) and `bias` [U] (b) if enabled.

    Masking: Keras masks of `query`, `value` and `key` are used, and that of `query` is propagated. A query without
    visible keys gets zeros and leaves the alignment unchanged. Padding is zeroed first, so that NaN in it reaches
    neither the output nor a gradient.

    Args:
        units: Positive int, U.
        mode: `"recursive"`, `"parallel"` or `"hard"`, see `ops.monotonic_alignment`. With `"hard"`, the weights get no
            gradient.
        sigmoid_noise: Standard deviation of the noise that is added to the energies in training, which pushes p towards
            0 or 1 (1 in the paper); no noise at inference.
        score_bias_init: Initial value of r (negative: attention starts spread over the whole memory).
        normalize: Whether to normalize the vector; its scale g starts at `sqrt(1 / units)`.
        score_bias: Whether to add b inside the tanh; `None` means the value of `normalize`.
        kernel_initializer: Initializer of W and U.
        vector_initializer: Initializer of v.
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
    >>> from keras_attention.layers import BahdanauMonotonicAttention
    >>> tuple(BahdanauMonotonicAttention(units=8)(np.ones((2, 5, 4)), np.ones((2, 7, 6))).shape)
    (2, 5, 6)
    """

    def __init__(
        self,
        units: int,
        mode: str = "parallel",
        sigmoid_noise: float = 0.0,
        score_bias_init: float = 0.0,
        normalize: bool = False,
        score_bias: bool | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        vector_initializer: Initializer = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            units,
            normalize,
            score_bias,
            kernel_initializer,
            vector_initializer,
            mode=mode,
            sigmoid_noise=sigmoid_noise,
            score_bias_init=score_bias_init,
            seed=seed,
            **kwargs,
        )

    def _energies(self, query, memory):
        return additive_logits(self._project_query(query), memory["key"], self._score_vector())
