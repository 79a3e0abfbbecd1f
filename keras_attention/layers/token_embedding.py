"""Token embedding with tied output logits."""

from collections.abc import Callable
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_bool, require_int, require_number
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class TokenEmbedding(BaseLayer):
    r"""Token embedding scaled by the square root of its width; `reverse` gives logits with the same table.

    $$ x = \sqrt{D} \, E_{token}, \quad \mathrm{logits} = x E^\top $$

    as in "Attention Is All You Need", section 3.4
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, V = input_dim tokens, D = output_dim:

        embeddings: [V, D]
        output:     [B, T, D] = embeddings[inputs] * scale
        reverse:    [B, T, V] = inputs . embeddings

    Differs from the paper: the paper does not name the initializer; as in the published
    code, normal with standard deviation D^-1/2, so that the scaled rows have unit
    variance. That code also zeroes the output of token 0; here padding is masked.

    Masking: with `mask_zero`, the output has a mask, true where the id is not 0; with
    `reverse`, a Keras mask is propagated.

    Args:
        input_dim: Positive int, the number of tokens V.
        output_dim: Positive int, the width D.
        mask_zero: Whether id 0 is padding.
        scale: Float; `None` means sqrt(D).
        embeddings_initializer: Initializer of the table; `None` means normal with
            standard deviation D^-1/2.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: Integer ids [B, T] (any rank), below `input_dim`; with `reverse`,
            vectors [B, T, D] (any rank).
        reverse: Whether to compute logits over tokens instead of embedding ids.

    Returns:
        [B, T, D], or with `reverse` [B, T, V].

    Example:

    >>> from keras_attention.layers import TokenEmbedding
    >>> embedding = TokenEmbedding(50, 16)
    >>> x = embedding(keras.Input((None,), dtype="int32"))
    >>> x.shape, embedding(x, reverse=True).shape
    ((None, None, 16), (None, None, 50))
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        mask_zero: bool = False,
        scale: float | None = None,
        embeddings_initializer: Initializer | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        # Not autocast: float16 would round ids. The vectors of `reverse` are cast in `call`.
        kwargs = {"autocast": False, **kwargs}
        super().__init__(**kwargs)
        self.input_dim = require_int(input_dim, "input_dim")
        self.output_dim = require_int(output_dim, "output_dim")
        self.mask_zero = require_bool(mask_zero, "mask_zero")
        self.scale = require_number(scale, "scale", optional=True)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.supports_masking = True

    @property
    def _features_axis(self):
        return None  # ids have no features

    def build(self, input_shape=None):
        initializer = self.embeddings_initializer
        if initializer is None:
            initializer = keras.initializers.RandomNormal(stddev=self.output_dim**-0.5)
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim), initializer=initializer, name="embeddings"
        )

    def call(self, inputs: Tensor, reverse: bool = False) -> Tensor:
        if reverse:
            table = ops.cast(self.embeddings, self.compute_dtype)
            # Rank 2: TensorFlow's gradient of an einsum or a batched matmul holds a [V, D] for each sample.
            rows = ops.reshape(ops.cast(inputs, self.compute_dtype), (-1, self.output_dim))
            logits = ops.matmul(rows, ops.transpose(table))
            return ops.reshape(logits, (*ops.shape(inputs)[:-1], self.input_dim))
        scale = self.output_dim**0.5 if self.scale is None else self.scale
        rows = ops.take(self.embeddings, ops.cast(inputs, "int32"), axis=0)
        return ops.cast(rows, self.compute_dtype) * scale

    def prepare_reverse(self) -> Callable[[Tensor], Tensor]:
        """Returns a function from rows [B, D] to logits [B, V], for a loop: the table is turned around once, here."""
        table = ops.transpose(ops.cast(self.embeddings, self.compute_dtype))
        return lambda rows: ops.matmul(ops.cast(rows, self.compute_dtype), table)

    def compute_mask(self, inputs, mask=None):
        if self.mask_zero and not keras.backend.is_float_dtype(keras.backend.standardize_dtype(inputs.dtype)):
            return ops.not_equal(inputs, 0)
        return mask

    def compute_output_shape(self, inputs_shape, reverse=False):
        return (*inputs_shape[:-1], self.input_dim) if reverse else (*inputs_shape, self.output_dim)

    def compute_output_spec(self, inputs, reverse=False):
        if reverse and inputs.shape[-1] != self.output_dim:
            raise ValueError(
                f"The last axis of `inputs` must be `output_dim`. Received: inputs.shape={tuple(inputs.shape)}, "
                f"output_dim={self.output_dim}"
            )
        return keras.KerasTensor(self.compute_output_shape(inputs.shape, reverse), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "mask_zero": self.mask_zero,
            "scale": self.scale,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer)
            if self.embeddings_initializer is not None
            else None,
        }
