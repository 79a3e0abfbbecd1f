"""RNNsearch, the first translation model with attention, and RNNencdec, its baseline without."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.models.parts.arguments import checked
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.rnn_search import RNNSearchParts
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed
from keras_attention.types import DType, Initializer, ModelOptions, Nest, Tensor

VOCABULARIES = ("source_vocabulary_size", "target_vocabulary_size")
SIZES = (*VOCABULARIES, "embedding_dim", "units", "attention_units", "maxout_units")
CHECKS = {
    **dict.fromkeys(SIZES, require_int),
    **dict.fromkeys(("attention", "use_bias"), require_bool),
    "dropout": require_rate,
    "kernel_initializer": lambda value, name: keras.initializers.get(value),
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class RNNSearch(keras.Model):
    r"""GRU encoder-decoder for translation: RNNsearch with Bahdanau attention, or RNNencdec without.

    $$ e_{ij} = v_a^\top \tanh(W_a s_{i-1} + U_a h_j), \quad c_i = \sum_j \mathrm{softmax}_j(e_{ij}) h_j, \quad
       p(y_i) \propto \exp(y_i^\top W_o \, \mathrm{maxout}(U_o s_{i-1} + V_o E y_{i-1} + C_o c_i)) $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate",
    appendix A ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)). Written out, with
    B batch, S length of the source, T of the target, V target tokens, m = embedding_dim,
    n = units, l = maxout_units:

        h:      [B, S, 2n] = [forward units; backward units] over the embedded source
        s_0:    [B, n] = tanh(W_s backward units at the first word)
        c_i:    [B, 2n] = attention of s_{i-1} to h                      (look)
        t_i:    [B, l] = maxout over pairs of [s_{i-1}; c_i; E y_{i-1}]  (generate)
        s_i:    [B, n] = cell([E y_{i-1}; c_i], s_{i-1})                 (update)
        logits: [B, T, V] = t W_o

    With `attention=False`, RNNencdec: the encoder runs forward only, and every c_i is
    c = tanh(V h_S), with s_0 = tanh(V' c), as in "Learning Phrase
    Representations using RNN Encoder-Decoder", appendix A
    ([Cho et al., 2014](https://arxiv.org/abs/1406.1078)), but with the same cell and readout
    as RNNsearch.

    Differs from the paper: nothing by default. Its section 3.1 reads p(y_i) out of s_i,
    its appendix out of s_{i-1}; this is the appendix and the authors' code. E y_0 is zero,
    whatever the first token: there is no embedding of the start token. `use_bias=True`
    adds the biases of the authors' code (embeddings, candidates, s_0, readout and logits;
    none on gates or in the attention), but not its factorized softmax.

    Initialization as in the paper: recurrent matrices orthogonal, W_a and U_a
    N(0, 0.001²), v_a zero, all others N(0, 0.01²), biases zero.

    In 2500 training steps attention at least doubled BLEU at every length, but unlike in
    the paper BLEU fell with sentence length: docs/examples/rnn_search_translation.md.

    The target is the *input* of the decoder: shifted right by the caller, so that
    `logits[:, t]` predicts the token at t + 1.

    Masking: token 0 in the source is padding, neither read nor attended to. The target
    needs no mask: no earlier step depends on padding at its end; exclude it from the loss.

    Args:
        source_vocabulary_size: Number of source tokens, padding (0) included.
        target_vocabulary_size: Number of target tokens V, padding included.
        embedding_dim: m.
        units: n, in each direction of the encoder and in the decoder.
        attention_units: Hidden units of the attention.
        maxout_units: l.
        attention: `True`, RNNsearch; `False`, RNNencdec.
        use_bias: Whether to add the biases of the authors' code.
        dropout: Dropout rate on the embeddings and before the logits; 0 in the paper.
        kernel_initializer: Initializer of all matrices except the recurrent ones, v_a
            included; `None` means the paper's.
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
    >>> sizes = {"embedding_dim": 8, "units": 16, "attention_units": 12, "maxout_units": 10}
    >>> model = RNNSearch(source_vocabulary_size=20, target_vocabulary_size=30, **sizes)
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
        embedding_dim: int = 620,
        units: int = 1000,
        attention_units: int = 1000,
        maxout_units: int = 500,
        attention: bool = True,
        use_bias: bool = False,
        dropout: float = 0.0,
        kernel_initializer: Initializer | None = None,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(RNNSearch, locals(), CHECKS)
        parts = RNNSearchParts(arguments, dtype)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target")}
        x = parts.embed_target(inputs["target"])
        output, _ = parts.decoder(x, *parts.encode(inputs["source"]))
        super().__init__(inputs=inputs, outputs=parts.generate(output, x), **kwargs)
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
        """Encoder only: source ids [B, S] -> annotations [B, S, 2n]; without attention the summary [B, n]."""
        return self.parts.encode(ops.convert_to_tensor(source), training=training)[0]

    def start(self, source: Tensor, max_length: int | None = None) -> Nest:
        """Encodes the source and creates the cache for `step`.

        Args:
            source: [B, S] ids, 0 = padding.
            max_length: Ignored.

        Returns:
            Nested structure of tensors, batch first.
        """
        return self.parts.decoder.start(*self.parts.encode(ops.convert_to_tensor(source), training=False))

    def step(self, tokens: Tensor, cache: Nest, index: int | Tensor) -> tuple[Tensor, Nest]:
        """One decoding step: reads one token of each target and returns the logits of the next.

        Runs inside `tf.function`, XLA and `jax.jit`.

        Args:
            tokens: [B] ids: the start token, then the chosen ones.
            cache: From `start` or the last step.
            index: Position of `tokens`: int or int32 scalar tensor. At 0 the embedding is
                zero, whatever the token.

        Returns:
            Logits [B, V] of the token at `index + 1`, and the updated cache.
        """
        x = self.parts.embed("target", ops.convert_to_tensor(tokens), training=False)
        x = ops.where(ops.equal(index, 0), ops.zeros_like(x), x)
        output, cache = self.parts.decoder.step(x, cache)
        return self.parts.generate(output, x, training=False), cache

    def attention_scores(self, inputs: dict[str, Tensor]) -> Tensor:
        """Attention probabilities of every target token over the source, in inference mode.

        Args:
            inputs: `{"source": [B, S], "target": [B, T]}`, as the model is called.

        Returns:
            [B, T, S].

        Raises:
            ValueError: If the model has no attention.
        """
        if not self.attention:
            raise ValueError("A model without attention has no scores. Received: attention=False")
        source, target = (ops.convert_to_tensor(inputs[name]) for name in ("source", "target"))
        x = self.parts.embed_target(target, training=False)
        return self.parts.decoder(x, *self.parts.encode(source, training=False), training=False)[1]

    def get_config(self):
        return {
            **common_config(self),
            **self._arguments,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def rnn_search(source_vocabulary_size: int, target_vocabulary_size: int, **kwargs: Any) -> RNNSearch:
    """RNNsearch (Bahdanau attention), or with `attention=False` RNNencdec; default: the paper's sizes.

    `{"source": [B, S], "target": [B, T]}` token ids to logits [B, T, V], as in "Neural Machine Translation by Jointly
    Learning to Align and Translate" ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)); what our own short runs
    show of it: docs/examples/rnn_search_translation.md. With 30,000 tokens per language RNNsearch has 80,401,000
    parameters.

    Args:
        source_vocabulary_size: Number of source tokens, padding (0) included.
        target_vocabulary_size: Number of target tokens, padding included.
        **kwargs: The other arguments of `RNNSearch`.

    Returns:
        `RNNSearch`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return RNNSearch(source_vocabulary_size, target_vocabulary_size, **kwargs)
