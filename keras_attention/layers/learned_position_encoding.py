"""Learned position encoding."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_int
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class LearnedPositionEncoding(BaseLayer):
    r"""Learned position encoding: adds a trainable vector for each position.

    $$ y_p = x_p + W_p $$

    as in "Convolutional Sequence to Sequence Learning"
    ([Gehring et al., 2017](https://arxiv.org/abs/1705.03122), 3.1) and row (E) of
    Table 3 of "Attention Is All You Need"
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, D model width, M = max_length:

        table:  [M, D]
        output: [B, T, D] = inputs + table[start_index : start_index + T]

    Differs from the paper: the paper does not name the table's initializer; here it is
    Glorot uniform, as in the published code.

    Masking: a Keras mask is propagated.

    Args:
        max_length: Positive int, the number of positions.
        initializer: Initializer of the table.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        start_index: Position of the first element: int, or int32 tensor, a scalar or
            [B]; elements before position 0 get the first row of the table.

    Returns:
        [B, T, D].

    Raises:
        ValueError: If positions exceed `max_length`, where T is static and
            `start_index` an int. Otherwise a position past the end gets the last row of
            the table.

    Example:

    >>> from keras_attention.layers import LearnedPositionEncoding
    >>> LearnedPositionEncoding(max_length=50)(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def __init__(
        self, max_length: int, initializer: Initializer = "glorot_uniform", **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.max_length = require_int(max_length, "max_length")
        self.initializer = keras.initializers.get(initializer)
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(f"`inputs` must be [B, T, D] with a known D. Received: inputs.shape={tuple(input_shape)}")
        self.table = self.add_weight(
            shape=(self.max_length, input_shape[-1]), initializer=self.initializer, name="table"
        )

    def call(self, inputs: Tensor, start_index: int | Tensor = 0) -> Tensor:
        self._check_length(inputs, start_index)
        positions = ops.arange(ops.shape(inputs)[1], dtype="int32")
        rows = not isinstance(start_index, int) and len(ops.shape(start_index)) == 1
        positions = positions + (ops.expand_dims(start_index, 1) if rows else start_index)
        encoding = ops.take(self.table, ops.clip(positions, 0, self.max_length - 1), axis=0)
        return inputs + ops.cast(encoding, inputs.dtype)

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, start_index=0):
        self._check_length(inputs, start_index)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "initializer": keras.initializers.serialize(self.initializer),
        }

    def _check_length(self, inputs, start_index):
        T = inputs.shape[1]
        if isinstance(T, int) and isinstance(start_index, int) and not 0 <= start_index <= self.max_length - T:
            raise ValueError(
                "Positions must be from 0 to `max_length - 1`. "
                f"Received: inputs.shape={tuple(inputs.shape)}, start_index={start_index}, max_length={self.max_length}"
            )
