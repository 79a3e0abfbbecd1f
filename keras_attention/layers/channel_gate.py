"""The gate that squeeze-and-excitation and CBAM have in common: a small network says how much each channel counts."""

import keras
from keras import ops

from keras_attention.layers.gate import Gate
from keras_attention.layers.projections import clone
from keras_attention.ops import channel_pool
from keras_attention.ops.require import require_int


class ChannelGate(Gate):
    """Pools the places, lets one network look at each pool, and gates the channels by the sum of its answers."""

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

    def _gate_dims(self, dims):
        ones = (1,) * (len(dims) - 2)
        return (dims[0], *ones, dims[-1]) if self._axis == -1 else (*dims[:2], *ones)

    def _dense(self, units, activation, name):
        return keras.layers.Dense(
            units,
            activation,
            use_bias=self.variant == "reference",
            kernel_initializer=clone(self.kernel_initializer),  # one object would draw the same for both
            name=name,
            dtype=self.dtype_policy,
        )
