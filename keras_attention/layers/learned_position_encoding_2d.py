"""Learned 2D position encoding."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import require_grid
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.require import require_choice, require_int
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class LearnedPositionEncoding2D(BaseLayer):
    r"""Learned 2D position encoding: adds trainable vectors for each row and each column.

    $$ y_{rc} = x_{rc} + \sqrt{D} \, [R_r, \; C_c] $$

    as in "Image Transformer", section 3.2 ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)): half of the
    channels for the row, half for the column. Written out, with B batch, Y rows, X columns, D model width:

        rows:    [max_rows, D/2],  columns: [max_columns, D/2]
        output:  [B, Y, X, D] = inputs + sqrt(D) [rows of start_index[0].., columns of start_index[1]..]

    Differs from the paper: the paper does not name the tables' initializer; as in the published code it is normal with
    standard deviation D^-1/2, and the rows are scaled by sqrt(D). In that code (`variant="reference"`) both tables are
    D wide, and the two vectors are added:

        output:  [B, Y, X, D] = inputs + sqrt(D) (rows[..] + columns[..])

    Masking: a Keras mask is propagated.

    Args:
        max_rows: Positive int, the number of rows.
        max_columns: Positive int, the number of columns.
        variant: `"paper"` or `"reference"`.
        initializer: Initializer of both tables; `None` means normal with standard deviation D^-1/2.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, D]; D must be even unless `variant="reference"`.
        start_index: (row, column) of the first position: two ints or int32 scalar tensors.

    Returns:
        [B, Y, X, D].

    Raises:
        ValueError: If positions exceed the tables, where they are static. Otherwise a position past the end gets the
            last row or column.

    Example:

    >>> from keras_attention.layers import LearnedPositionEncoding2D
    >>> LearnedPositionEncoding2D(32, 96)(keras.Input((None, None, 16))).shape
    (None, None, None, 16)
    """

    def __init__(
        self,
        max_rows: int,
        max_columns: int,
        variant: str = "paper",
        initializer: Initializer | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.max_rows = require_int(max_rows, "max_rows")
        self.max_columns = require_int(max_columns, "max_columns")
        self.variant = require_choice(variant, "variant", ("paper", "reference"))
        self.initializer = keras.initializers.get(initializer)
        self.supports_masking = True

    def build(self, input_shape):
        paper = self.variant == "paper"
        require_grid(input_shape, even=paper)
        D = input_shape[-1]
        initializer = self.initializer or keras.initializers.RandomNormal(stddev=D**-0.5)
        self.rows, self.columns = (
            self.add_weight(shape=(count, D // 2 if paper else D), initializer=clone(initializer), name=name)
            for count, name in ((self.max_rows, "rows"), (self.max_columns, "columns"))
        )

    def call(self, inputs: Tensor, start_index: Sequence[int | Tensor] = (0, 0)) -> Tensor:
        self._check_size(inputs, start_index)
        rows, columns = (
            ops.take(table, ops.clip(ops.arange(n, dtype="int32") + first, 0, table.shape[0] - 1), axis=0)
            for table, n, first in zip((self.rows, self.columns), ops.shape(inputs)[1:3], start_index)
        )
        rows, columns = ops.expand_dims(rows, 1), ops.expand_dims(columns, 0)
        if self.variant == "paper":
            rows = ops.pad(rows, [[0, 0], [0, 0], [0, columns.shape[-1]]])
            columns = ops.pad(columns, [[0, 0], [0, 0], [columns.shape[-1], 0]])
        return inputs + ops.cast((rows + columns) * inputs.shape[-1] ** 0.5, inputs.dtype)

    def compute_output_shape(self, inputs_shape):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, start_index=(0, 0)):
        self._check_size(inputs, start_index)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "max_rows": self.max_rows,
            "max_columns": self.max_columns,
            "variant": self.variant,
            "initializer": None if self.initializer is None else keras.initializers.serialize(self.initializer),
        }

    def _check_size(self, inputs, start_index):
        for axis, (size, first) in enumerate(zip((self.max_rows, self.max_columns), start_index), 1):
            n = inputs.shape[axis]
            if isinstance(n, int) and isinstance(first, int) and not 0 <= first <= size - n:
                raise ValueError(
                    "Positions must be inside of the tables. "
                    f"Received: inputs.shape={tuple(inputs.shape)}, start_index={start_index}, "
                    f"max_rows={self.max_rows}, max_columns={self.max_columns}"
                )
