"""GRU layer of RNNsearch."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.gated_recurrent_cell import GatedRecurrentCell
from keras_attention.ops.recurrence import recur
from keras_attention.ops.require import require_bool
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.types import Initializer, LayerOptions, Nest, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class GatedRecurrentUnit(BaseLayer):
    r"""GRU layer of RNNsearch, in either direction: `GatedRecurrentCell` over a sequence.

    $$ h_t = (1 - z_t) \circ h_{t-1} + z_t \circ \tilde{h}_t $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate",
    appendix A.2.1 ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)); two of
    them, one with `reverse=True`, are its encoder. Written out, with B batch, T length,
    D inputs, U units:

        projected: [B, T, 3 U] = inputs kernel + bias, for all steps at once
        h:         [B, U] = cell.advance(projected[:, t], h), step by step
        output:    [B, T, U], h after every step, or [B, U], after the last

    Masking: `mask`, or the Keras mask of `inputs`; it is propagated with
    `return_sequences`. A padded step keeps the state and outputs zeros
    (`keras.layers.GRU` repeats the previous output).

    Args:
        units: Positive int U.
        use_bias: See `GatedRecurrentCell`.
        return_sequences: Whether to return h after every step instead of the last.
        return_state: Whether to also return the final state.
        reverse: Whether to run from the last step to the first. Output t stays at
            position t and depends on the inputs t to T.
        go_backwards: Whether to run from the last step to the first and return outputs
            and mask reversed, as Keras's recurrent layers do.
            `keras.layers.Bidirectional` sets it.
        kernel_initializer: See `GatedRecurrentCell`.
        recurrent_initializer: See `GatedRecurrentCell`.
        bias_initializer: See `GatedRecurrentCell`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        initial_state: [B, U], or a list of one such tensor; `None` means zeros.
        mask: [B, T]. True marks positions that take part.
        inputs_mask: The same as `mask`: the name under which Keras passes the mask of
            `inputs` if there is an initial state.

    Returns:
        [B, T, U] or [B, U]; with `return_state`, `(output, state [B, U])`.

    Example:

    >>> from keras_attention.layers import GatedRecurrentUnit
    >>> GatedRecurrentUnit(8, return_sequences=True, reverse=True)(keras.Input((None, 5))).shape
    (None, None, 8)
    """

    # Attributes that Keras's `Bidirectional` reads.
    stateful = False
    states = None

    def __init__(
        self,
        units: int,
        use_bias: bool | str = True,
        return_sequences: bool = False,
        return_state: bool = False,
        reverse: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        *,
        go_backwards: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if reverse and go_backwards:
            raise ValueError(
                "`reverse` leaves the outputs where their inputs are, and `go_backwards` returns them in the order of "
                f"reading: at most one may be true. Received: reverse={reverse!r}, go_backwards={go_backwards!r}"
            )
        self.cell = GatedRecurrentCell(
            units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            name="cell",
            dtype=self.dtype_policy,
        )
        self.units = self.cell.units
        self.use_bias = self.cell.use_bias
        self.return_sequences = require_bool(return_sequences, "return_sequences")
        self.return_state = require_bool(return_state, "return_state")
        self.reverse = require_bool(reverse, "reverse")
        self.go_backwards = require_bool(go_backwards, "go_backwards")
        self.kernel_initializer = self.cell.kernel_initializer
        self.recurrent_initializer = self.cell.recurrent_initializer
        self.bias_initializer = self.cell.bias_initializer
        self.supports_masking = True

    def build(self, inputs_shape, initial_state_shape=None):
        if len(inputs_shape) != 3:
            raise ValueError(f"`inputs` must be [B, T, D]. Received: inputs.shape={tuple(inputs_shape)}")
        self.cell.build((inputs_shape[0], inputs_shape[2]))

    def call(
        self,
        inputs: Tensor,
        initial_state: Nest | None = None,
        mask: Tensor | None = None,
        inputs_mask: Tensor | None = None,
    ) -> Nest:
        mask, initial_state = inputs_mask if mask is None else mask, _single(initial_state)
        self._check(inputs, initial_state, mask)
        mask = full_mask(mask, ops.shape(inputs)[:2])
        inputs = zero_padding(inputs, mask)
        if initial_state is None:
            initial_state = ops.zeros((ops.shape(inputs)[0], self.units), dtype=self.compute_dtype)

        def step(h, projected):
            h = self.cell.advance(projected, h)
            return (h if self.return_sequences else ()), h

        blank = ops.zeros_like(initial_state) if self.return_sequences else ()
        backwards = self.reverse or self.go_backwards
        outputs, h = recur(step, initial_state, blank, self.cell.projection()(inputs), mask, backwards)
        output = outputs if self.return_sequences else h
        if self.go_backwards and self.return_sequences:
            output = ops.flip(output, axis=1)
        return (output, h) if self.return_state else output

    def compute_output_shape(self, inputs_shape, initial_state_shape=None):
        B, T, _ = inputs_shape
        output = (B, T, self.units) if self.return_sequences else (B, self.units)
        return (output, (B, self.units)) if self.return_state else output

    def compute_output_spec(self, inputs, initial_state=None, mask=None, inputs_mask=None):
        self._check(inputs, _single(initial_state), inputs_mask if mask is None else mask)
        shapes = self.compute_output_shape(inputs.shape)
        shapes, pack = (shapes, tuple) if self.return_state else ((shapes,), next)
        return pack(keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in shapes)

    def compute_mask(self, inputs, mask=None):
        if not self.return_sequences or mask is None:
            return None
        return ops.flip(mask, axis=1) if self.go_backwards else mask

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "reverse": self.reverse,
            "go_backwards": self.go_backwards,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }

    def _check(self, inputs, initial_state, mask):
        B, T, _ = inputs.shape
        if initial_state is not None:
            shape = tuple(initial_state.shape)
            if len(shape) != 2 or shape[1] != self.units or (None not in (B, shape[0]) and shape[0] != B):
                raise ValueError(
                    f"`initial_state` must be [B, {self.units}], of the batch of `inputs`. Received: "
                    f"initial_state.shape={shape}, inputs.shape={tuple(inputs.shape)}"
                )
        check_padding(mask, "mask", (B, T), "the inputs")


def _single(state):
    """The state, taken out of the list that Keras's recurrent layers take."""
    return state[0] if isinstance(state, (list, tuple)) and len(state) == 1 else state
