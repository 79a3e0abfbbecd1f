"""The encoder-decoder Transformer of "Attention Is All You Need", with cached decoding."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import TokenEmbedding, TransformerDecoderBlock, TransformerEncoderBlock
from keras_attention.models.parts.arguments import checked, one_of, optional_int, require_heads
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.stack import (
    POSITIONS,
    Stack,
    encoder_decoder_scores,
    make_norm,
    make_position,
    make_seeds,
)
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed
from keras_attention.types import DType, ModelOptions, Nest, Step, Tensor

CHECKS = {
    **dict.fromkeys(("vocabulary_size", "num_layers", "model_dim", "num_heads", "intermediate_dim"), require_int),
    **dict.fromkeys(("key_dim", "value_dim", "max_length"), optional_int),
    **dict.fromkeys(("dropout", "attention_dropout"), require_rate),
    **dict.fromkeys(("norm_first", "tie_embeddings", "use_bias"), require_bool),
    "position_encoding": one_of(POSITIONS),
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class Transformer(keras.Model):
    r"""Encoder-decoder Transformer, from source and target token ids to next-token logits.

    $$ \mathrm{logits} = \mathrm{Decoder}(\sqrt{D} E_{target} + PE,
       \mathrm{Encoder}(\sqrt{D} E_{source} + PE)) E^\top $$

    as in "Attention Is All You Need" ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)).
    Written out, with B batch, S length of the source, T of the target, V tokens,
    D model width:

        memory: [B, S, D] = encoder blocks(dropout(embedding(source) + positions))
        x:      [B, T, D] = decoder blocks(dropout(embedding(target) + positions), memory)
        logits: [B, T, V] = x . E

    Differs from the paper: nothing by default. What the paper leaves open is as
    in the version of its published code that is faithful to it: no biases in the
    attention's projections, layer normalization with epsilon 1e-6, Glorot uniform
    kernels, embeddings N(0, D^-1/2). With `norm_first` a final normalization follows
    each stack, as in that code's later versions.

    The target is the *input* of the decoder: shifted right by the caller, so that
    it begins with a start token (any id, also 0, as in the published code) and
    `logits[:, t]` predicts the token at t + 1.

    Masking: token 0 in the source is padding and never attended to. The target needs
    no mask: no earlier position attends to padding at its end; exclude it from the
    loss (as `training.LabelSmoothedCrossEntropy` does).

    Args:
        vocabulary_size: Number of tokens V, padding (0) included.
        num_layers: Blocks in the encoder, and in the decoder.
        model_dim: D.
        num_heads: Attention heads.
        intermediate_dim: Hidden units of the feed-forward networks.
        key_dim: Size per head of queries and keys; `None` means D // num_heads.
        value_dim: Size per head of values; `None` means D // num_heads.
        dropout: Dropout rate on the output of each sub-layer and on the embeddings.
        attention_dropout: Dropout rate on the attention's probabilities; 0 in the paper.
        norm_first: Pre-norm instead of the paper's post-norm.
        position_encoding: `"sinusoidal"` (the paper), `"sinusoidal_reference"` (its
            published code), `"learned"` (Table 3, row E) or `None`.
        max_length: Number of learned positions; only for `"learned"`.
        tie_embeddings: `True`, one table for the source, the target and the logits;
            `False`, three.
        use_bias: Whether the attention's projections have biases.
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
    >>> model = Transformer(vocabulary_size=20, num_layers=2, model_dim=16, num_heads=4, intermediate_dim=32)
    >>> ids = np.array([[5, 7, 11, 2], [3, 2, 0, 0]])
    >>> tuple(model({"source": ids, "target": ids[:, :3]}).shape)
    (2, 3, 20)
    >>> cache = model.start(ids, max_length=10)
    >>> logits, cache = model.step(np.array([1, 1]), cache, 0)
    >>> tuple(logits.shape)
    (2, 20)
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 6,
        model_dim: int = 512,
        num_heads: int = 8,
        intermediate_dim: int = 2048,
        key_dim: int | None = None,
        value_dim: int | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        norm_first: bool = False,
        position_encoding: str | None = "sinusoidal",
        max_length: int | None = None,
        tie_embeddings: bool = True,
        use_bias: bool = False,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(Transformer, locals(), CHECKS)
        require_heads(arguments)
        names = ["embedding"] if tie_embeddings else ["encoder_embedding", "decoder_embedding", "logits"]
        tables = [TokenEmbedding(vocabulary_size, model_dim, name=name, dtype=dtype) for name in names]
        encoder = _stack("encoder", TransformerEncoderBlock, tables[0], arguments, dtype)
        decoder = _stack("decoder", TransformerDecoderBlock, tables[len(tables) // 2], arguments, dtype)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target")}
        mask = ops.not_equal(inputs["source"], 0)
        memory, _ = encoder(inputs["source"], mask=mask)
        x, _ = decoder(inputs["target"], memory, memory_mask=mask)
        super().__init__(inputs=inputs, outputs=tables[-1](x, reverse=True), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.encoder, self.decoder, self.scorer = encoder, decoder, tables[-1]
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        return dict.fromkeys(("source", "target"), self.vocabulary_size)

    def encode(self, source: Tensor, training: bool = False) -> Tensor:
        """Encoder only: source ids [B, S] -> memory [B, S, D]."""
        source = ops.convert_to_tensor(source)
        return self.encoder(source, mask=ops.not_equal(source, 0), training=training)[0]

    def start(self, source: Tensor, max_length: int) -> Nest:
        """Encodes the source and creates the cache for `step`.

        Args:
            source: [B, S] ids, 0 = padding.
            max_length: Int, max number of decoding steps.

        Returns:
            A tuple (of dicts of dicts) of tensors, all batch first: for each block, the
            projected keys, values and mask of the memory, and zeros for those of the target.

        Raises:
            ValueError: If there are fewer learned positions than `max_length`.
        """
        if self.position_encoding == "learned" and max_length > self.max_length:
            raise ValueError(
                f"`max_length` must be at most {self.max_length}, the number of learned positions. Received: "
                f"max_length={max_length}"
            )
        source = ops.convert_to_tensor(source)
        memory, mask = self.encode(source), ops.not_equal(source, 0)
        return self.decoder.make_cache(memory, max_length, mask)

    def step(self, tokens: Tensor, cache: Nest, index: int | Tensor) -> tuple[Tensor, Nest]:
        """One decoding step: reads one token of each target and returns the logits of the next.

        Only the attention's cost grows with the length of the cache. Runs inside
        `tf.function`, XLA and `jax.jit`.

        Args:
            tokens: [B] ids: the start token, then the chosen ones.
            cache: From `start` or the last step.
            index: Position of `tokens`: int or int32 scalar tensor, at least 0 and less
                than the `max_length` of the cache.

        Returns:
            Logits [B, V] of the token at `index + 1`, and the updated cache.
        """
        x, cache = self.decoder.step(ops.convert_to_tensor(tokens), cache, index)
        return self.scorer(x, reverse=True), cache

    def prepare_step(self) -> Step:
        """Returns `step` for a loop: what the weights alone determine is computed here, once for all its steps.

        The decoders of `keras_attention.decoding` call it themselves if they are given `model.step`.
        """
        step = self.decoder.prepare_step() if type(self).step is Transformer.step else None
        if step is None:
            return self.step
        score = self.scorer.prepare_reverse()

        def advance(tokens, cache, index):
            x, cache = step(tokens, cache, index)
            return score(x), cache

        return advance

    def attention_scores(self, inputs: dict[str, Tensor]) -> dict[str, list[Tensor]]:
        """Attention probabilities of every attention layer, in inference mode.

        Args:
            inputs: `{"source": [B, S], "target": [B, T]}`, as the model is called.

        Returns:
            `{"encoder_self": ..., "decoder_self": ..., "decoder_memory": ...}`, each
            a list with one tensor per block: [B, N, S, S], [B, N, T, T], [B, N, T, S].
        """
        source, target = (ops.convert_to_tensor(inputs[name]) for name in ("source", "target"))
        return encoder_decoder_scores(self.encoder, self.decoder, source, target, ops.not_equal(source, 0))

    def get_config(self):
        return {**common_config(self), **self._arguments}


def transformer(vocabulary_size: int, **kwargs: Any) -> Transformer:
    """Encoder-decoder Transformer of any size; default: the base model's.

    `{"source": [B, S], "target": [B, T]}` token ids to logits [B, T, V], as in "Attention Is All You Need"
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)).

    Args:
        vocabulary_size: Number of tokens, padding (0) included.
        **kwargs: The other arguments of `Transformer`.

    Returns:
        `Transformer`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return Transformer(vocabulary_size, **kwargs)


def transformer_base(vocabulary_size: int = 37000, **kwargs: Any) -> Transformer:
    """Transformer base of Table 3: 6 blocks, D = 512, 8 heads; 63,045,632 parameters with 37,000 tokens.

    Shapes and paper as of `transformer`.

    Args:
        vocabulary_size: Number of tokens, padding (0) included.
        **kwargs: Arguments of `Transformer` to change.

    Returns:
        `Transformer`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return Transformer(vocabulary_size, **kwargs)


def transformer_big(vocabulary_size: int = 37000, **kwargs: Any) -> Transformer:
    """Transformer big of Table 3: 6 blocks, D = 1024, 16 heads, dropout 0.3; 214,171,648 parameters (37,000 tokens).

    Shapes and paper as of `transformer`. The paper uses dropout 0.1 for English to French.

    Args:
        vocabulary_size: Number of tokens, padding (0) included.
        **kwargs: Arguments of `Transformer` to change.

    Returns:
        `Transformer`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    big = {"model_dim": 1024, "num_heads": 16, "intermediate_dim": 4096, "dropout": 0.3}
    return Transformer(vocabulary_size, **{**big, **kwargs})


def _stack(name, block, embedding, arguments, dtype):
    shared = ("num_heads", "intermediate_dim", "key_dim", "value_dim", "dropout", "attention_dropout")
    shared = {k: arguments[k] for k in (*shared, "norm_first", "use_bias")}
    first = None if arguments["seed"] is None else arguments["seed"] + 1000 * (name == "decoder")
    seeds = make_seeds(first, arguments["num_layers"])
    return Stack(
        embedding,
        make_position(arguments["position_encoding"], arguments["max_length"], name=f"{name}_position", dtype=dtype),
        keras.layers.Dropout(arguments["dropout"], seed=seeds[0], name=f"{name}_dropout", dtype=dtype),
        [block(**shared, seed=seed, name=f"{name}_block_{i}", dtype=dtype) for i, seed in enumerate(seeds[1:])],
        make_norm(name=f"{name}_norm", dtype=dtype) if arguments["norm_first"] else None,
    )
