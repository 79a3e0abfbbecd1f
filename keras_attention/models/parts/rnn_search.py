"""Layers of `RNNSearch` and their wiring, for whole sequences and for decoding steps."""

import keras
from keras import ops

from keras_attention.layers import (
    AttentionRNN,
    BahdanauAttention,
    Bias,
    GatedRecurrentCell,
    GatedRecurrentUnit,
    Maxout,
    TokenEmbedding,
)
from keras_attention.models.parts.recurrent_decoders import FixedDecoder, SearchingDecoder


class RNNSearchParts:
    """Layers of `RNNSearch` and their wiring. A plain class, not a layer.

    Args:
        arguments: Dict of the arguments of `RNNSearch`.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, arguments, dtype):
        self.arguments, self.dtype = arguments, dtype
        units, attention = arguments["units"], arguments["attention"]
        self.embeddings = {side: self._embedding(side) for side in ("source", "target")}
        self.forward = self._recurrent("forward", return_sequences=attention)
        self.initial = self._dense("initial_state", units)
        if attention:
            self.backward = self._recurrent("backward", return_sequences=True, return_state=True, reverse=True)
            self.decoder = SearchingDecoder(self._attention_rnn())
        else:
            self.summary = self._dense("summary", units)
            self.decoder = FixedDecoder(self._recurrent("decoder", return_sequences=True))
        readout = self._common("readout", use_bias=arguments["use_bias"])
        self.readout = Maxout(arguments["maxout_units"], **readout)
        self.readout_dropout = self._dropout("readout", 2)
        logits = self._common("logits", use_bias=arguments["use_bias"])
        self.logits = keras.layers.Dense(arguments["target_vocabulary_size"], **logits)

    def embed(self, side, tokens, training=None):
        """Tokens of the "source" or the "target", of any rank -> [..., m]."""
        x, embedding = tokens, self.embeddings[side]
        for layer in embedding["layers"]:
            x = layer(x)
        return embedding["dropout"](x, training=training)

    def embed_target(self, tokens, training=None):
        """Target tokens [B, T] -> [B, T, m], zero at the first step."""
        x = self.embed("target", tokens, training)
        return ops.concatenate([ops.zeros_like(x[:, :1]), x[:, 1:]], axis=1)

    def encode(self, source, training=None):
        """Source tokens [B, S] -> annotations [B, S, 2n], mask [B, S], s_0 [B, n]; or summary [B, n], mask, s_0."""
        mask = ops.not_equal(source, 0)
        x = self.embed("source", source, training)
        forward = self.forward(x, mask=mask)
        if not self.arguments["attention"]:
            summary = self.summary(forward)
            return summary, mask, self.initial(summary)
        backward, first = self.backward(x, mask=mask)
        return ops.concatenate([forward, backward], axis=-1), mask, self.initial(first)

    def generate(self, output, x, training=None):
        """[s_{i-1}; c_i] and the embedding of y_{i-1} -> logits [..., V]."""
        t = self.readout(ops.concatenate([output, x], axis=-1))
        return self.logits(self.readout_dropout(t, training=training))

    def _embedding(self, side):
        size = self.arguments[f"{side}_vocabulary_size"]
        table = TokenEmbedding(
            size,
            self.arguments["embedding_dim"],
            scale=1.0,
            embeddings_initializer=self._initializer(),
            name=f"{side}_embedding",
            dtype=self.dtype,
        )
        bias = [Bias(name=f"{side}_bias", dtype=self.dtype)] if self.arguments["use_bias"] else []
        return {"layers": [table, *bias], "dropout": self._dropout(side, ("source", "target").index(side))}

    def _recurrent(self, name, **kwargs):
        return GatedRecurrentUnit(self.arguments["units"], **self._common(name), **self._bias(), **kwargs)

    def _attention_rnn(self):
        cell = GatedRecurrentCell(self.arguments["units"], **self._common("cell"), **self._bias())
        given = self.arguments["kernel_initializer"] is not None
        attention = BahdanauAttention(
            self.arguments["attention_units"],
            kernel_initializer=self._initializer(0.001),
            vector_initializer=self._initializer() if given else "zeros",
            name="attention",
            dtype=self.dtype,
        )
        return AttentionRNN(cell, attention, order="look_generate_update", name="decoder", dtype=self.dtype)

    def _dense(self, name, units):
        return keras.layers.Dense(units, "tanh", **self._common(name, use_bias=self.arguments["use_bias"]))

    def _bias(self):
        return {"use_bias": "candidate" if self.arguments["use_bias"] else False}

    def _common(self, name, **kwargs):
        return {"kernel_initializer": self._initializer(), "name": name, "dtype": self.dtype, **kwargs}

    def _dropout(self, name, offset):
        seed = self.arguments["seed"]
        seed = None if seed is None else seed + offset  # a dropout mask of its own for each layer
        return keras.layers.Dropout(self.arguments["dropout"], seed=seed, name=f"{name}_dropout", dtype=self.dtype)

    def _initializer(self, stddev=0.01):
        """The paper's initializer, or a copy of the given one for each weight."""
        given = self.arguments["kernel_initializer"]
        if given is None:
            return keras.initializers.RandomNormal(stddev=stddev)
        return type(given).from_config(given.get_config())
