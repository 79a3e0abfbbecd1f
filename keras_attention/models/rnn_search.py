"""RNNsearch, the first network with attention, and RNNencdec, its baseline with a vector of fixed size."""

import keras
from keras import ops

from keras_attention.models.parts.arguments import checked
from keras_attention.models.parts.dtypes import serialize_dtype
from keras_attention.models.parts.rnn_search import Parts
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed

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
    r"""Encoder-decoder network of gated recurrent units, with attention or without.

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

    With `attention=False`, RNNencdec: the encoder runs forward only, and in the place of
    every c_i stands c = tanh(V h_S), with s_0 = tanh(V' c), as in "Learning Phrase
    Representations using RNN Encoder-Decoder", appendix A
    ([Cho et al., 2014](https://arxiv.org/abs/1406.1078)), but with the same cell and readout
    as RNNsearch.

    Differs from the paper: nothing by default. Its section 3.1 reads p(y_i) out of s_i,
    its appendix out of s_{i-1}; this is the appendix and the authors' code. E y_0 is zero,
    whatever the first token: the embedding of the start is not learned. With
    `use_bias=True` the biases of the authors' code are there (embeddings, candidates,
    s_0, readout and logits; none on gates or in the attention); its factorised softmax
    is not.

    The weights start as in the paper: recurrent matrices orthogonal, W_a and U_a
    N(0, 0.001²), v_a zero, all others N(0, 0.01²), biases zero.

    The target is the *input* of the decoder: shifted right by the caller, so that
    `logits[:, t]` scores the token at t + 1.

    Masking: 0 in the source is padding: neither direction of the encoder reads it and the
    attention does not see it. The target needs no mask: padding stands at its end, and no
    earlier step depends on it; leave it out of the loss.

    Args:
        source_vocabulary_size: Number of source tokens, padding (0) included.
        target_vocabulary_size: Number of target tokens V, padding included.
        embedding_dim: m.
        units: n, in each direction of the encoder and in the decoder.
        attention_units: Hidden units of the attention.
        maxout_units: l.
        attention: `True`, RNNsearch; `False`, RNNencdec.
        use_bias: Whether the biases of the authors' code are there.
        dropout: Rate on the embeddings and on what the logits are computed from; 0 in the
            paper.
        kernel_initializer: Initialiser of all matrices but the recurrent ones, v_a
            included; `None` means the paper's.
        seed: Int, of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"source": [B, S], "target": [B, T]}`, integer ids.

    Returns:
        Logits [B, T, V].

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
        source_vocabulary_size,
        target_vocabulary_size,
        embedding_dim=620,
        units=1000,
        attention_units=1000,
        maxout_units=500,
        attention=True,
        use_bias=False,
        dropout=0.0,
        kernel_initializer=None,
        seed=None,
        *,
        dtype=None,
        **kwargs,
    ):
        arguments = checked(RNNSearch, locals(), CHECKS)
        parts = Parts(arguments, dtype)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target")}
        x = parts.embed_target(inputs["target"])
        output, _ = parts.decoder(x, *parts.encode(inputs["source"]))
        super().__init__(inputs=inputs, outputs=parts.generate(output, x), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only now: on PyTorch a model takes no layers before it is initialised.
        self.parts, self._arguments = parts, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def start(self, source, max_length=None):
        """Reads the source.

        Args:
            source: [B, S] ids, 0 = padding.
            max_length: Not needed: the cache does not grow.

        Returns:
            A cache for `step`: a nest of tensors, batch first.
        """
        return self.parts.decoder.start(*self.parts.encode(ops.convert_to_tensor(source), training=False))

    def step(self, tokens, cache, index):
        """Consumes one token of each target and scores the next.

        Runs inside `tf.function`, XLA and `jax.jit`.

        Args:
            tokens: [B] ids: the start token, then what was chosen.
            cache: From `start` or the last step.
            index: Position of `tokens`: int or int32 scalar tensor. At 0 the embedding is
                zero, whatever the token.

        Returns:
            Logits [B, V] of the token at `index + 1`, and the cache after this token.
        """
        x = self.parts.embed("target", ops.convert_to_tensor(tokens), training=False)
        x = ops.where(ops.equal(index, 0), ops.zeros_like(x), x)
        output, cache = self.parts.decoder.step(x, cache)
        return self.parts.generate(output, x, training=False), cache

    def attention_scores(self, inputs):
        """Where the model looks for every word that it writes, at inference.

        Args:
            inputs: `{"source": [B, S], "target": [B, T]}`, as the model is called.

        Returns:
            [B, T, S].
        """
        if not self.attention:
            raise ValueError("A model without attention has no scores. Received: attention=False")
        source, target = (ops.convert_to_tensor(inputs[name]) for name in ("source", "target"))
        x = self.parts.embed_target(target, training=False)
        return self.parts.decoder(x, *self.parts.encode(source, training=False), training=False)[1]

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize_dtype(self),
            **self._arguments,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def rnn_search(source_vocabulary_size, target_vocabulary_size, **kwargs):
    """RNNsearch, or with `attention=False` RNNencdec; the paper's sizes by default.

    With 30,000 tokens on either side RNNsearch has 80,401,000 weights.

    Args:
        source_vocabulary_size: Number of source tokens, padding (0) included.
        target_vocabulary_size: Number of target tokens, padding included.
        **kwargs: The other arguments of `RNNSearch`.
    """
    return RNNSearch(source_vocabulary_size, target_vocabulary_size, **kwargs)
