"""Base classes of gates over channels and positions."""

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.projections import clone
from keras_attention.ops import channel_pool
from keras_attention.ops.require import require_choice, require_data_format, require_int
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.types import MaybeScores, Tensor

VARIANTS = ("paper", "reference")
AXES = {3: "[B, T, C]", 4: "[B, Y, X, C]", 5: "[B, Z, Y, X, C]"}


class Gate(BaseLayer):
    """Base class of layers that multiply their input by gates between 0 and 1, computed from it.

    A subclass defines `_apply(inputs, mask, training)`, which returns output and gates, and `_gate_dims(dims)`, which
    returns the shape of the gates (or shapes, in the structure of the gates). One whose gates are not those of other
    layers also defines `shared_axes(rank)`, the axes of its inputs along which all entries have the same gate.
    """

    def __init__(self, variant, data_format, kernel_initializer, **kwargs):
        super().__init__(**kwargs)
        self.variant = require_choice(variant, "variant", VARIANTS)
        self.data_format = require_data_format(data_format)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> MaybeScores:
        self._check(inputs, mask)
        if mask is not None:
            mask = full_mask(mask, self._positions_shape(ops.shape(inputs)))
            inputs = zero_padding(inputs, ops.expand_dims(mask, self._axis))
        output, gates = self._apply(inputs, mask, training)
        return (output, gates) if return_attention_scores else output

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def compute_output_spec(self, inputs, mask=None, training=None, return_attention_scores=False):
        self._check(inputs, mask)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        gates = self._gate_dims(tuple(inputs.shape))
        if isinstance(gates, dict):
            return output, {name: keras.KerasTensor(dims, dtype=self.compute_dtype) for name, dims in gates.items()}
        return output, keras.KerasTensor(gates, dtype=self.compute_dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask

    def get_config(self):
        return {
            **super().get_config(),
            "variant": self.variant,
            "data_format": self.data_format,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @property
    def _axis(self):
        """The axis of the channels."""
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape):
        """C of a checked shape."""
        if len(input_shape) not in AXES or input_shape[self._axis] is None:
            raise ValueError(
                f"`inputs` must be {', '.join(AXES.values())} (channels_first: C after B) with a known C. "
                f"Received: inputs.shape={tuple(input_shape)}, data_format={self.data_format!r}"
            )
        return input_shape[self._axis]

    def _positions_shape(self, input_shape):
        """[B, *S], without the channels."""
        return input_shape[:-1] if self._axis == -1 else (input_shape[0], *input_shape[2:])

    def _check(self, inputs, mask):
        shape = tuple(inputs.shape)
        self._channels(shape)
        check_padding(mask, "mask", self._positions_shape(shape), "`inputs` without channels")


class ChannelGate(Gate):
    """Base class of channel gates: sigmoid of the sum of a shared MLP over the pools."""

    def __init__(self, ratio, pools, variant, data_format, kernel_initializer, **kwargs):
        super().__init__(variant, data_format, kernel_initializer, **kwargs)
        self.ratio = require_int(ratio, "ratio")
        self._pools = pools

    def build(self, input_shape):
        C = self._channels(input_shape)
        self.reduce = self._dense(max(1, C // self.ratio), "relu", "reduce")
        self.expand = self._dense(C, None, "expand")
        self.reduce.build((input_shape[0], C))
        self.expand.build((input_shape[0], self.reduce.units))

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}

    def _apply(self, inputs, mask, training):
        pools = [channel_pool(inputs, pool, mask, self._axis) for pool in self._pools]
        gates = ops.sigmoid(sum(self.expand(self.reduce(pool)) for pool in pools))
        for _ in inputs.shape[2:]:
            gates = ops.expand_dims(gates, 1 if self._axis == -1 else -1)
        return inputs * gates, gates

    def shared_axes(self, rank: int) -> tuple[int, ...]:
        """The axes of positions."""
        return tuple(range(1, rank - 1) if self._axis == -1 else range(2, rank))

    def _gate_dims(self, dims):
        ones = (1,) * (len(dims) - 2)
        return (dims[0], *ones, dims[-1]) if self._axis == -1 else (*dims[:2], *ones)

    def _dense(self, units, activation, name):
        return keras.layers.Dense(
            units,
            activation,
            use_bias=self.variant == "reference",
            kernel_initializer=clone(self.kernel_initializer),  # one object would give both the same values
            name=name,
            dtype=self.dtype_policy,
        )
