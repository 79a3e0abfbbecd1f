"""BERT: the bidirectional Transformer encoder."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import LearnedPositionEncoding, TokenEmbedding, TransformerEncoderBlock
from keras_attention.models.parts.arguments import checked, optional_int, positive_number, require_heads
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.stack import make_seeds
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed
from keras_attention.types import DType, ModelOptions, Tensor

CHECKS = {
    **dict.fromkeys(("vocabulary_size", "num_layers", "model_dim", "num_heads", "intermediate_dim"), require_int),
    "max_length": require_int,
    "num_segments": optional_int,
    **dict.fromkeys(("dropout", "attention_dropout"), require_rate),
    "epsilon": positive_number,
    "pooler": require_bool,
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class BERT(keras.Model):
    r"""Bidirectional Transformer encoder, from token ids to a vector per token and one per sequence.

    $$ x = \mathrm{LN}(E_{tokens} + P + S_{segments}), \quad
       x \leftarrow \mathrm{LN}(x + \mathrm{Attention}(x)), \quad x \leftarrow \mathrm{LN}(x + \mathrm{FFN}(x)) $$

    as in "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"
    ([Devlin et al., 2019](https://arxiv.org/abs/1810.04805)). Written out, with B batch, T length, D model width:

        x:      [B, T, D] = dropout(LN(embedding(tokens) + positions + embedding(segments)))
        states: [B, T, D] = encoder blocks(x)
        pooled: [B, D]    = tanh(states[:, 0] W + b)

    Differs from the paper: nothing. The heads of its pre-training are not part of the model.

    Masking: token 0 is padding and never attended to.

    Args:
        vocabulary_size: Number of tokens, padding (0) included.
        num_layers: Number of blocks.
        model_dim: D.
        num_heads: Attention heads.
        intermediate_dim: Hidden units of the feed-forward networks.
        max_length: Number of learned positions.
        num_segments: Number of segments, 2 in the paper; `None`: there is no input "segments".
        dropout: Dropout rate on the embeddings and the output of each sub-layer.
        attention_dropout: Dropout rate on the attention's probabilities.
        epsilon: Positive float, of the layer normalizations.
        pooler: Whether there is the output "pooled".
        seed: Int, seed of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"tokens": [B, T], "segments": [B, T]}`, integer ids; without "segments" if `num_segments` is `None`.

    Returns:
        `{"states": [B, T, D], "pooled": [B, D]}`, without "pooled" unless `pooler`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> model = BERT(20, num_layers=2, model_dim=16, num_heads=4, intermediate_dim=32, num_segments=None)
    >>> outputs = model({"tokens": np.array([[5, 7, 11], [3, 0, 0]])})
    >>> tuple(outputs["states"].shape), tuple(outputs["pooled"].shape)
    ((2, 3, 16), (2, 16))
    """

    def __init__(
        self,
        vocabulary_size: int = 30522,
        num_layers: int = 12,
        model_dim: int = 768,
        num_heads: int = 12,
        intermediate_dim: int = 3072,
        max_length: int = 512,
        num_segments: int | None = 2,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        epsilon: float = 1e-12,
        pooler: bool = True,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(BERT, locals(), CHECKS)
        require_heads({**arguments, "key_dim": None})
        names = ["tokens"] + ["segments"] * (num_segments is not None)
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in names}
        embed, blocks = _embedding(arguments, dtype), _blocks(arguments, dtype)
        x, mask = embed(**inputs), ops.not_equal(inputs["tokens"], 0)
        for block in blocks:
            x = block(x, mask=mask)
        outputs = {"states": x}
        if pooler:
            pool = keras.layers.Dense(model_dim, "tanh", kernel_initializer=_start(), name="pooler", dtype=dtype)
            outputs["pooled"] = pool(x[:, 0])
        super().__init__(inputs, outputs, **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.embed, self.blocks = embed, blocks
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        sizes = {"tokens": self.vocabulary_size, "segments": self.num_segments}
        return {name: size for name, size in sizes.items() if size is not None}

    def attention_scores(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Attention probabilities of every block, in inference mode: a list with [B, N, T, T] per block."""
        inputs = {name: ops.convert_to_tensor(x) for name, x in inputs.items()}
        x, mask, seen = self.embed(**inputs, training=False), ops.not_equal(inputs["tokens"], 0), []
        for block in self.blocks:
            x, scores = block(x, mask=mask, training=False, return_attention_scores=True)
            seen.append(scores)
        return seen

    def get_config(self):
        return {**common_config(self), **self._arguments}


def bert(vocabulary_size: int = 30522, **kwargs: Any) -> BERT:
    """BERT of any size; default: the base model's, 109,482,240 parameters.

    `{"tokens": [B, T], "segments": [B, T]}` ids to `{"states": [B, T, D], "pooled": [B, D]}`; paper as of `BERT`.

    Args:
        vocabulary_size: Number of tokens, padding (0) included.
        **kwargs: The other arguments of `BERT`.

    Returns:
        `BERT`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return BERT(vocabulary_size, **kwargs)


def _start():
    return keras.initializers.TruncatedNormal(stddev=0.02)


def _embedding(arguments, dtype):
    """A function of `tokens`, `segments` and `training` to [B, T, D]."""
    D, segments = arguments["model_dim"], arguments["num_segments"]
    given = {"scale": 1.0, "embeddings_initializer": _start(), "dtype": dtype}
    of_tokens = TokenEmbedding(arguments["vocabulary_size"], D, **given, name="embedding")
    position = LearnedPositionEncoding(arguments["max_length"], _start(), name="position", dtype=dtype)
    of_segments = None if segments is None else TokenEmbedding(segments, D, **given, name="segment_embedding")
    norm = keras.layers.LayerNormalization(epsilon=arguments["epsilon"], name="embedding_norm", dtype=dtype)
    dropout = keras.layers.Dropout(arguments["dropout"], seed=arguments["seed"], name="dropout", dtype=dtype)

    def embed(tokens, segments=None, training=None):
        x = position(of_tokens(tokens))
        x = x if of_segments is None else ops.add(x, of_segments(segments))
        return dropout(norm(x), training=training)

    return embed


def _blocks(arguments, dtype):
    names = ("num_heads", "intermediate_dim", "dropout", "attention_dropout", "epsilon")
    shared = {**{name: arguments[name] for name in names}, "activation": "gelu", "use_bias": True}
    shared |= {"kernel_initializer": _start(), "dtype": dtype}
    seeds = make_seeds(arguments["seed"], arguments["num_layers"])[1:]
    return [TransformerEncoderBlock(**shared, seed=seed, name=f"block_{i}") for i, seed in enumerate(seeds)]
