"""Mixin of monotonic attention."""

import keras
from keras import ops

from keras_attention.layers.bases.memory_attention import mix_all, mix_one, see
from keras_attention.ops import monotonic_alignment
from keras_attention.ops.monotonic import MODES
from keras_attention.ops.paths.hashed_random import normal
from keras_attention.ops.recurrence import recur
from keras_attention.ops.require import require_choice, require_number, require_seed
from keras_attention.ops.runtime.random_numbers import integers
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.types import Nest, Tensor


class Monotonic:
    """Mixin for monotonic `MemoryAttention`; a subclass defines `_energies(query [B, T, Dq], memory)`: [B, T, S]."""

    def __init__(self, *args, mode, sigmoid_noise, score_bias_init, seed, **kwargs):
        super().__init__(*args, **kwargs)
        self.mode = require_choice(mode, "mode", MODES)
        self.sigmoid_noise = require_number(sigmoid_noise, "sigmoid_noise", least=0)
        self.score_bias_init = require_number(score_bias_init, "score_bias_init")
        self.seed = require_seed(seed)
        if sigmoid_noise:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, query_shape, value_shape, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        start = keras.initializers.Constant(self.score_bias_init)
        self.energy_bias = self.add_weight(shape=(), initializer=start, name="energy_bias")

    def start(self, memory: Nest) -> Nest:
        """Returns the initial state: the alignment [B, S], 1 at key 0, and the seed and counter of the noise."""
        self._require_built("start")
        B, S = ops.shape(memory["value"])[:2]
        first = ops.cast(ops.arange(S, dtype="int32") == 0, self._score_dtype())
        state = {"alignment": ops.broadcast_to(first, (B, S))}
        if not self.sigmoid_noise:
            return state
        seed = integers((B,), 2**31 - 1, self.seed_generator)
        return {**state, "seed": seed, "index": ops.zeros((B,), dtype="int32")}

    def step(
        self, query: Tensor, memory: Nest, state: Nest, training: bool | None = None
    ) -> tuple[Tensor, Tensor, Nest]:
        self._require_built("step")
        energies = self._energies(self._query(query), memory)[:, 0]
        probs, state = self._walk(energies, memory["mask"], state, training)
        return mix_one(probs, memory), self._cast(probs), state

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "sigmoid_noise": self.sigmoid_noise,
            "score_bias_init": self.score_bias_init,
            "seed": self.seed,
        }

    def _attend_all(self, query, memory, query_mask, mask, scores, training):
        start = self.start(memory)
        given = {"energies": self._energies(query, memory), "visible": see(query, memory, query_mask, mask)}
        probs, _ = recur(
            lambda state, x: self._walk(x["energies"], x["visible"], state, training),
            start,
            ops.zeros_like(start["alignment"]),
            given,
        )
        context = mix_all(probs, memory)
        return (context, probs) if scores else context

    def _walk(self, energies, visible, state, training):
        """Scores [B, S] of one query and the new state; without visible keys the alignment is unchanged."""
        energies = energies + ops.cast(self.energy_bias, energies.dtype)
        more = {}
        if self.sigmoid_noise:
            more = {"seed": state["seed"], "index": state["index"] + 1}
            if training:
                noise = normal(state["seed"], state["index"], ops.shape(energies)[1])
                energies = energies + self.sigmoid_noise * ops.cast(noise, energies.dtype)
        choose = ops.cast(energies > 0, energies.dtype) if self.mode == "hard" else ops.sigmoid(energies)
        choose = zero_padding(choose, visible)
        probs = zero_padding(monotonic_alignment(choose, state["alignment"], self.mode), visible)
        sees = ops.any(visible, axis=1, keepdims=True)
        return probs, {"alignment": ops.where(sees, probs, state["alignment"]), **more}
