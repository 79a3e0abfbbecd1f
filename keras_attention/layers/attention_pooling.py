"""Attention pooling: one vector from a sequence."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.adapters import AdaptsProjections
from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.memory_attention import mix_one
from keras_attention.layers.bases.projections import clone
from keras_attention.ops import masked_softmax, require_boolean
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_bool, require_int
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.types import Initializer, LayerOptions, MaybeScores, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class AttentionPooling(AdaptsProjections, BaseLayer):
    r"""Attention pooling: the mean of a sequence, weighted by a learned score of each position.

    $$ u_t = \tanh(W h_t + b), \quad \alpha_t = \mathrm{softmax}_t(u_t^\top v), \quad s = \sum_t \alpha_t h_t $$

    as in "Hierarchical Attention Networks for Document Classification", eqs. 5 to 7
    ([Yang et al., 2016](https://aclanthology.org/N16-1174/)); with `gated=True` as in "Attention-based Deep Multiple
    Instance Learning", eq. 9 ([Ilse et al., 2018](https://arxiv.org/abs/1802.04712)). Written out, with B batch, T
    positions, C features, U = units:

        hidden: [B, T, U] = tanh(inputs W + b)
                          * sigmoid(inputs W_g + b_g)      (only with `gated`)
        scores: [B, T]    = softmax over T of hidden . v
        output: [B, C]    = sum over T of scores * inputs

    Differs from the papers: with `gated`, equation 9 has no biases (`use_bias=False`); the published code of Ilse et
    al. has them. Its bias of the logits, which cancels in the softmax, is left out.

    Weights: `hidden/kernel` [C, U], `hidden/bias` [U]; `gate/kernel` [C, U] and `gate/bias` [U] with `gated`; `vector`
    [U].

    Masking: `mask`, or the Keras mask of `inputs`. Padding, even NaN, has no effect; a row without any position that
    takes part gives zeros. The output has no positions, and no mask.

    Args:
        units: Positive int U.
        gated: Whether to multiply the hidden layer by a sigmoid gate.
        use_bias: Whether the hidden layer and the gate have biases.
        kernel_initializer: Initializer of the kernels.
        vector_initializer: Initializer of v.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, C].
        mask: [B, T]. True marks positions that take part; `None` means the Keras mask.
        return_attention_scores: Whether to also return the scores.

    Returns:
        [B, C]; or (output, scores [B, T]) with `return_attention_scores`.

    Raises:
        ValueError: If an argument is out of range, the rank is not 3, C is unknown, or the mask does not fit.

    Example:

    >>> from keras_attention.layers import AttentionPooling
    >>> output, scores = AttentionPooling(units=8)(keras.ops.ones((2, 5, 16)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((2, 16), (2, 5))
    """

    def __init__(
        self,
        units: int,
        gated: bool = False,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        vector_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.units = require_int(units, "units")
        self.gated = require_bool(gated, "gated")
        self.use_bias = require_bool(use_bias, "use_bias")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.vector_initializer = keras.initializers.get(vector_initializer)
        self.supports_masking = True

    def build(self, input_shape):
        self._check(input_shape)
        self.hidden = self._dense("hidden", "tanh", input_shape)
        self.gate = self._dense("gate", "sigmoid", input_shape) if self.gated else None
        self.vector = self.add_weight(shape=(self.units,), initializer=self.vector_initializer, name="vector")

    def call(self, inputs: Tensor, mask: Tensor | None = None, return_attention_scores: bool = False) -> MaybeScores:
        self._check(inputs.shape)
        check_padding(mask, "mask", tuple(inputs.shape[:-1]), "the inputs")
        mask = require_boolean(mask, "mask")
        inputs = zero_padding(inputs, mask)
        hidden = self.hidden(inputs)
        if self.gated:
            hidden = hidden * self.gate(inputs)
        scores = masked_softmax(ops.matmul(*at_least_float32(hidden, self.vector)), mask)
        output = mix_one(scores, {"value": inputs})
        return (output, ops.cast(scores, self.compute_dtype)) if return_attention_scores else output

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return (input_shape[0], input_shape[-1])

    def compute_output_spec(self, inputs, mask=None, return_attention_scores=False):
        check_padding(mask, "mask", tuple(inputs.shape[:-1]), "the inputs")
        output = keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)
        scores = keras.KerasTensor(inputs.shape[:-1], dtype=self.compute_dtype)
        return (output, scores) if return_attention_scores else output

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "gated": self.gated,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "vector_initializer": keras.initializers.serialize(self.vector_initializer),
        }

    def _check(self, shape):
        if len(shape) != 3 or shape[-1] is None:
            raise ValueError(f"`inputs` must be [B, T, C] with a known C. Received: inputs.shape={tuple(shape)}")

    def _dense(self, name, activation, input_shape):
        dense = keras.layers.Dense(
            self.units,
            activation,
            self.use_bias,
            clone(self.kernel_initializer),  # one object would give both the same values
            name=name,
            dtype=self.dtype_policy,
        )
        dense.build(input_shape)
        return dense

    def _projections(self):
        """The dense sublayers, for LoRA and quantization."""
        return [self.hidden, *([self.gate] if self.gated else [])]
