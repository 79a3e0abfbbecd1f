"""Luong's attention-based LSTM encoder-decoder for machine translation, with input feeding."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import AttentionRNN, LuongAttention, TokenEmbedding
from keras_attention.layers.luong_attention import SCORES, WINDOWS
from keras_attention.models.parts.arguments import checked, one_of, optional_int, positive_number
from keras_attention.models.parts.dtypes import common_config
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed
from keras_attention.types import DType, ModelOptions, Nest, Tensor

SIZES = ("source_vocabulary_size", "target_vocabulary_size", "embedding_dim", "units", "num_layers")
CHECKS = {
    **dict.fromkeys(SIZES, require_int),
    "score": one_of(SCORES),
    "window": one_of(WINDOWS),
    "half_width": positive_number,
    "max_length": optional_int,
    **dict.fromkeys(("input_feeding", "use_bias"), require_bool),
    "dropout": require_rate,
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class LuongLSTM(keras.Model):
    r"""LSTM encoder-decoder with Luong attention (global or local) and input feeding, for translation.

    $$ a_t = \mathrm{align}(h_t, \bar{h}), \quad c_t = \sum_s a_{ts} \bar{h}_s, \quad
       \tilde{h}_t = \tanh(W_c [h_t; c_t]), \quad p(y_t) = \mathrm{softmax}(W_s \tilde{h}_t) $$

    as in "Effective Approaches to Attention-based Neural Machine Translation", section 3
    ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)). Written out, with B batch, S
    length of the source, T of the target, V target tokens, m = embedding_dim, n = units:

        memory:      [B, S, n] = the top of the stacked LSTMs over the embedded source
        h_t:         [B, n] = the top of the stacked cells on [E y_{t-1}; attentional of t - 1]
        c_t:         [B, n] = attention of h_t to the memory
        attentional: [B, n] = tanh([h_t; c_t] W_c)
        logits:      [B, T, V] = attentional W_s

    Every layer of the decoder starts from the last state of the same layer of the encoder.
    No biases; all weights are initialized from U(-0.1, 0.1).

    Differs from the paper: dropout masks the inputs of every LSTM with one mask for all
    steps, as Keras's cells do. The paper reverses the source in some of its systems; that
    is left to the caller (and must not be done with windows, which assume that source and
    target run in the same direction).

    The target is the *input* of the decoder: shifted right by the caller, beginning with
    a start token, so that `logits[:, t]` predicts the token at t + 1.

    Masking: token 0 in the source is padding, neither read nor attended to. The target
    needs no mask: no earlier step depends on padding at its end; exclude it from the loss.

    Args:
        source_vocabulary_size: Number of source tokens, padding (0) included.
        target_vocabulary_size: Number of target tokens V, padding included.
        embedding_dim: m.
        units: n.
        num_layers: LSTM layers in the encoder, and in the decoder.
        score: `"dot"`, `"general"`, `"concat"` or `"location"`, as in `LuongAttention`.
        window: `None` (global), `"local_m"` or `"local_p"`.
        half_width: Half-width D of a window, in positions.
        max_length: Number of source positions that have a weight, later ones are ignored; only for `"location"`.
        input_feeding: Whether the cells read the attentional vector of the previous step.
        use_bias: Whether the LSTMs have biases.
        dropout: Dropout rate on the inputs of every LSTM; the paper's is 0 or 0.2.
        seed: Int, seed of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"source": [B, S], "target": [B, T]}`, integer ids.

    Returns:
        Logits [B, T, V].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> model = LuongLSTM(20, 30, embedding_dim=8, units=16, num_layers=2, score="dot")
    >>> ids = np.array([[5, 7, 11, 2], [3, 2, 0, 0]])
    >>> tuple(model({"source": ids, "target": ids[:, :3]}).shape)
    (2, 3, 30)
    >>> logits, cache = model.step(np.array([1, 1]), model.start(ids, max_length=10), 0)
    >>> tuple(logits.shape)
    (2, 30)
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        embedding_dim: int = 1000,
        units: int = 1000,
        num_layers: int = 4,
        score: str = "general",
        window: str | None = None,
        half_width: float = 10,
        max_length: int | None = None,
        input_feeding: bool = True,
        use_bias: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(LuongLSTM, locals(), CHECKS)
        parts = _LuongParts(arguments, dtype)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target")}
        output = parts.decode(inputs["target"], *parts.encode(inputs["source"]))
        super().__init__(inputs=inputs, outputs=parts.logits(output), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.parts, self._arguments = parts, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        return {"source": self.source_vocabulary_size, "target": self.target_vocabulary_size}

    def encode(self, source: Tensor, training: bool = False) -> Tensor:
        """Encoder only: source ids [B, S] -> memory [B, S, n]."""
        return self.parts.encode(ops.convert_to_tensor(source), training=training)[0]

    def start(self, source: Tensor, max_length: int | None = None) -> Nest:
        """Encodes the source and creates the cache for `step`.

        Args:
            source: [B, S] ids, 0 = padding.
            max_length: Ignored.

        Returns:
            Nested structure of tensors, batch first.
        """
        memory, mask, states = self.parts.encode(ops.convert_to_tensor(source), training=False)
        memory = self.parts.decoder.project_memory(memory, mask=mask)
        return {"memory": memory, "state": self.parts.decoder.start(memory, states)}

    def step(self, tokens: Tensor, cache: Nest, index: int | Tensor) -> tuple[Tensor, Nest]:
        """One decoding step: reads one token of each target and returns the logits of the next.

        Runs inside `tf.function`, XLA and `jax.jit`.

        Args:
            tokens: [B] ids: the start token, then the chosen ones.
            cache: From `start` or the last step.
            index: Ignored; the cache counts positions.

        Returns:
            Logits [B, V] of the token at `index + 1`, and the updated cache.
        """
        x = self.parts.target_embedding(ops.convert_to_tensor(tokens))
        output, _, state = self.parts.decoder.step(x, cache["memory"], cache["state"])
        return self.parts.logits(output), {**cache, "state": state}

    def attention_scores(self, inputs: dict[str, Tensor]) -> Tensor:
        """Attention probabilities of every target token over the source, in inference mode.

        Args:
            inputs: `{"source": [B, S], "target": [B, T]}`, as the model is called.

        Returns:
            [B, T, S].
        """
        source, target = (ops.convert_to_tensor(inputs[name]) for name in ("source", "target"))
        flags = {"return_attention_scores": True, "training": False}
        return self.parts.decode(target, *self.parts.encode(source, training=False), **flags)[1]

    def get_config(self):
        return {**common_config(self), **self._arguments}


def luong_lstm(source_vocabulary_size: int, target_vocabulary_size: int, **kwargs: Any) -> LuongLSTM:
    """LSTM encoder-decoder with Luong attention; default: the paper's sizes, global attention, general score.

    `{"source": [B, S], "target": [B, T]}` token ids to logits [B, T, V], as in "Effective Approaches to
    Attention-based Neural Machine Translation" ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)). With 50,000
    tokens per language it has 221,000,000 parameters.

    Args:
        source_vocabulary_size: Number of source tokens, padding (0) included.
        target_vocabulary_size: Number of target tokens, padding included.
        **kwargs: The other arguments of `LuongLSTM`.

    Returns:
        `LuongLSTM`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return LuongLSTM(source_vocabulary_size, target_vocabulary_size, **kwargs)


class _LuongParts:
    """The layers of `LuongLSTM` and their wiring. A plain class, not a layer."""

    def __init__(self, arguments, dtype):
        self.arguments, self.dtype = arguments, dtype
        self.source_embedding, self.target_embedding = (self._embedding(side) for side in ("source", "target"))
        sequences = {"return_sequences": True, "return_state": True}
        self.encoder = self._stack(keras.layers.LSTM, "encoder", 0, **sequences)
        cells = self._stack(keras.layers.LSTMCell, "cell", arguments["num_layers"])
        self.decoder = AttentionRNN(
            keras.layers.StackedRNNCells(cells, name="cells", dtype=dtype),
            self._attention(),
            input_feeding=arguments["input_feeding"],
            attentional_layer=self._dense("attentional", arguments["units"], "tanh"),
            name="decoder",
            dtype=dtype,
        )
        self.logits = self._dense("logits", arguments["target_vocabulary_size"])

    def encode(self, source, training=None):
        """Source tokens [B, S] -> memory [B, S, n], mask [B, S] and the last states, one list per layer."""
        mask = ops.not_equal(source, 0)
        x, states = self.source_embedding(source), []
        for layer in self.encoder:
            x, *last = layer(x, mask=mask, training=training)
            states.append(last)
        return x, mask, states

    def decode(self, target, memory, mask, states, **kwargs):
        """Attentional vectors [B, T, n]; `kwargs` are more arguments of the decoder's call."""
        return self.decoder(self.target_embedding(target), memory, memory_mask=mask, initial_state=states, **kwargs)

    def _embedding(self, side):
        size, width = self.arguments[f"{side}_vocabulary_size"], self.arguments["embedding_dim"]
        initializer = {"embeddings_initializer": _uniform()}
        return TokenEmbedding(size, width, scale=1.0, name=f"{side}_embedding", dtype=self.dtype, **initializer)

    def _stack(self, kind, name, first, **kwargs):
        seed = self.arguments["seed"]
        return [
            kind(
                self.arguments["units"],
                use_bias=self.arguments["use_bias"],
                kernel_initializer=_uniform(),
                recurrent_initializer=_uniform(),
                dropout=self.arguments["dropout"],
                seed=None if seed is None else seed + first + i,  # a dropout mask of its own for each layer
                name=f"{name}_{i}",
                dtype=self.dtype,
                **kwargs,
            )
            for i in range(self.arguments["num_layers"])
        ]

    def _attention(self):
        chosen = {name: self.arguments[name] for name in ("score", "window", "half_width", "max_length")}
        chosen["units"] = self.arguments["units"] if self.arguments["score"] == "concat" else None
        start = {"kernel_initializer": _uniform(), "vector_initializer": _uniform()}
        return LuongAttention(**chosen, **start, name="attention", dtype=self.dtype)

    def _dense(self, name, units, activation=None):
        return keras.layers.Dense(
            units, activation, use_bias=False, kernel_initializer=_uniform(), name=name, dtype=self.dtype
        )


def _uniform():
    """A new initializer for every weight: one instance returns the same values at every call."""
    return keras.initializers.RandomUniform(-0.1, 0.1)
