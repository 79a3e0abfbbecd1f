"""Decoder-only Transformers: GPT-2, and Llama by its arguments."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import (
    GatedFeedForward,
    LearnedPositionEncoding,
    RotaryEmbedding,
    TokenEmbedding,
    TransformerDecoderBlock,
)
from keras_attention.layers.bases.transformer_block import NORMS
from keras_attention.models.parts.arguments import (
    checked,
    keywords,
    one_of,
    optional_int,
    positive_number,
    require_room,
)
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.stack import Stack, after_prompt, make_seeds, prepare_step_after_prompt
from keras_attention.ops.masks import require_boolean
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed
from keras_attention.types import DType, ModelOptions, Nest, Step, Tensor

ACTIVATIONS = ("gelu_tanh", "gelu", "silu", "relu")
CHECKS = {
    **dict.fromkeys(("vocabulary_size", "num_layers", "model_dim", "num_heads", "intermediate_dim"), require_int),
    "max_length": optional_int,
    **dict.fromkeys(("dropout", "attention_dropout"), require_rate),
    **dict.fromkeys(("gated", "use_bias", "tie_embeddings"), require_bool),
    "activation": one_of(ACTIVATIONS),
    "norm": one_of(NORMS),
    "epsilon": positive_number,
    "rotary": lambda value, name: None if value is None else keywords(value, name),
    "attention": keywords,
    "seed": require_seed,
}
LLAMA = {
    "max_length": None,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "activation": "silu",
    "gated": True,
    "norm": "rms",
    "use_bias": False,
    "tie_embeddings": False,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class GPT(keras.Model):
    r"""Decoder-only Transformer, from token ids to the logits of the next tokens; by default GPT-2 small.

    $$ x \leftarrow x + \mathrm{Attention}(\mathrm{N}(x)), \quad x \leftarrow x + \mathrm{FFN}(\mathrm{N}(x)), \quad
       \mathrm{logits} = \mathrm{N}(x) E^\top $$

    as in "Language Models are Unsupervised Multitask Learners"
    ([Radford et al., 2019](https://openai.com/research/better-language-models)). Written out, with B batch, T length,
    V tokens, D model width:

        x:      [B, T, D] = causal blocks(dropout(embedding(tokens) + positions))
        logits: [B, T, V] = norm(x) . E

    `models.llama` gives the layout of Llama ([Touvron et al., 2023](https://arxiv.org/abs/2302.13971)): root mean
    square norms, rotary positions, a gated network, no biases.

    Differs from the paper: the kernels of the residual branches are not scaled at initialization by the number of
    layers.

    Masking: no token is padding. Padding at the end has no effect on earlier positions; exclude it from the loss.
    Prompts of several lengths are padded on the left and passed to `start` with their mask.

    Args:
        vocabulary_size: Number of tokens V.
        num_layers: Number of blocks.
        model_dim: D.
        num_heads: Attention heads.
        intermediate_dim: Hidden units of the feed-forward networks.
        max_length: Number of learned positions; `None` with `rotary`.
        dropout: Dropout rate on the embeddings and the output of each sub-layer.
        attention_dropout: Dropout rate on the attention's probabilities.
        activation: `"gelu_tanh"` (GPT-2: the approximation by tanh), `"gelu"`, `"silu"` or `"relu"`.
        gated: Whether the networks are `GatedFeedForward`.
        norm: `"layer"` or `"rms"`.
        epsilon: Positive float, of the norms.
        use_bias: Whether the dense layers have biases.
        rotary: Dict of arguments of `RotaryEmbedding`, `{}` for its defaults; `None`: learned positions.
        attention: Dict of further arguments of the blocks' `MultiHeadAttention`: `num_key_value_heads`, `key_dim`,
            `query_key_norm`, `sliding_window`.
        tie_embeddings: Whether the logits are made with the table of the embedding.
        seed: Int, seed of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: Integer ids [B, T].

    Returns:
        Logits [B, T, V]; those at t are of the token at t + 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> from keras_attention import decoding
    >>> model = GPT(20, num_layers=2, model_dim=16, num_heads=4, intermediate_dim=32, max_length=10)
    >>> prompt = np.array([[5, 7, 11]])
    >>> tuple(model(prompt).shape)
    (1, 3, 20)
    >>> cache = model.start(prompt, max_length=4)
    >>> tuple(decoding.greedy(model.step, cache, prompt[:, -1], max_length=4, end_token=None).shape)
    (1, 4)
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 12,
        model_dim: int = 768,
        num_heads: int = 12,
        intermediate_dim: int = 3072,
        max_length: int | None = 1024,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation: str = "gelu_tanh",
        gated: bool = False,
        norm: str = "layer",
        epsilon: float = 1e-5,
        use_bias: bool = True,
        rotary: dict[str, Any] | None = None,
        attention: dict[str, Any] | None = None,
        tie_embeddings: bool = True,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(GPT, locals(), CHECKS)
        _require_positions(arguments)
        names = ["embedding"] if tie_embeddings else ["embedding", "logits"]
        start = keras.initializers.RandomNormal(stddev=0.02)
        given = {"scale": 1.0, "embeddings_initializer": start, "dtype": dtype}
        tables = [TokenEmbedding(vocabulary_size, model_dim, **given, name=name) for name in names]
        decoder = _stack(tables[0], arguments, dtype)
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        x, _ = decoder(tokens)
        super().__init__(tokens, tables[-1](x, reverse=True), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.decoder, self.scorer = decoder, tables[-1]
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        return {"tokens": self.vocabulary_size}

    def start(self, prompt: Tensor, max_length: int, mask: Tensor | None = None) -> Nest:
        """Reads a prompt and creates the cache. The first `step` gets its last token.

        Args:
            prompt: [B, P] ids, P at least 1.
            max_length: Positive int, the most tokens that follow the prompt.
            mask: [B, P]. True marks positions that take part: shorter prompts are padded on the left.

        Returns:
            Nest of tensors, all batch first, for `step`: keys, values and masks of the blocks, "offset", the position
            of its last token, and "padding", the positions before each row's first token.

        Raises:
            ValueError: If there are fewer learned positions than tokens.
        """
        prompt, mask = ops.convert_to_tensor(prompt), require_boolean(mask, "mask")
        require_room(prompt, max_length, self.max_length)
        B, P = ops.shape(prompt)
        mask = ops.ones((B, P), dtype="bool") if mask is None else mask
        padding = ops.sum(ops.cast(ops.logical_not(mask), "int32"), axis=1)
        caches = [block.make_cache(max_length=P - 1 + max_length, batch_size=B) for block in self.decoder.blocks]
        # The last token, too, though the first step writes it again: without, a prompt of one token would be empty.
        caches = self.decoder.read(prompt, caches, inputs_mask=mask, start_index=-padding, training=False)[1]
        return {"blocks": caches, "offset": ops.full((B,), P - 1, dtype="int32"), "padding": padding}

    def step(self, tokens: Tensor, cache: Nest, index: int | Tensor) -> tuple[Tensor, Nest]:
        """One decoding step: reads one token a row and returns the logits of the next.

        Args:
            tokens: [B] ids: the last of the prompt, then the chosen ones.
            cache: From `start` or the last step.
            index: Number of steps before this one: int or int32 scalar tensor.

        Returns:
            Logits [B, V], and the updated cache.
        """
        at, position = after_prompt(cache, index)
        read = {"cache_index": at, "start_index": position, "training": False}
        x, caches = self.decoder.read(ops.expand_dims(tokens, 1), cache["blocks"], **read)
        return self.scorer(x[:, 0], reverse=True), {**cache, "blocks": caches}

    def prepare_step(self) -> Step:
        """Returns `step` for a loop: what the weights alone determine is computed here, once for all its steps.

        The decoders of `keras_attention.decoding` call it themselves if they are given `model.step`.
        """
        plain = type(self).step is GPT.step
        return (prepare_step_after_prompt(self.decoder, self.scorer) if plain else None) or self.step

    def attention_scores(self, inputs: Tensor) -> list[Tensor]:
        """Attention probabilities of every block, in inference mode: a list with [B, N, T, T] per block."""
        flags = {"training": False, "return_attention_scores": True}
        return [scores["self"] for scores in self.decoder(ops.convert_to_tensor(inputs), **flags)[1]]

    def get_config(self):
        return {**common_config(self), **self._arguments}


def gpt(vocabulary_size: int = 50257, **kwargs: Any) -> GPT:
    """Decoder-only Transformer of any size; default: GPT-2 small, 124,439,808 parameters.

    Shapes and paper as of `GPT`.

    Args:
        vocabulary_size: Number of tokens.
        **kwargs: The other arguments of `GPT`.

    Returns:
        `GPT`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return GPT(vocabulary_size, **kwargs)


def llama(
    vocabulary_size: int = 32000,
    num_layers: int = 32,
    model_dim: int = 4096,
    num_heads: int = 32,
    intermediate_dim: int = 11008,
    **kwargs: Any,
) -> GPT:
    """`GPT` with the layout of Llama; default: that of 7 billion parameters (Touvron et al., 2023, Table 2).

    Shapes as of `GPT`. Later versions: `attention={"num_key_value_heads": 8}`, `tie_embeddings`, and `rotary` with
    their `max_wavelength` and `scaling`.

    Args:
        vocabulary_size: Number of tokens.
        num_layers: Number of blocks.
        model_dim: Model width D.
        num_heads: Attention heads.
        intermediate_dim: Hidden units of the gated networks.
        **kwargs: The other arguments of `GPT`, over Llama's.

    Returns:
        `GPT`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    sizes = {"num_layers": num_layers, "model_dim": model_dim, "num_heads": num_heads}
    sizes |= {"intermediate_dim": intermediate_dim, "rotary": {"layout": "halves"}}
    return GPT(vocabulary_size, **{**LLAMA, **sizes, **kwargs})


def _require_positions(arguments):
    if (arguments["rotary"] is None) == (arguments["max_length"] is None):
        raise ValueError(
            "Either `max_length` or `rotary` must be given, for learned or for rotary positions. "
            f"Received: max_length={arguments['max_length']}, rotary={arguments['rotary']}"
        )


def _stack(embedding, arguments, dtype):
    rotary, seeds = arguments["rotary"], make_seeds(arguments["seed"], arguments["num_layers"])
    position = (
        None
        if rotary is not None
        else LearnedPositionEncoding(
            arguments["max_length"], keras.initializers.RandomNormal(stddev=0.02), name="position", dtype=dtype
        )
    )
    return Stack(
        embedding,
        position,
        keras.layers.Dropout(arguments["dropout"], seed=seeds[0], name="dropout", dtype=dtype),
        [_block(arguments, f"block_{i}", seed, dtype) for i, seed in enumerate(seeds[1:])],
        NORMS[arguments["norm"]](epsilon=arguments["epsilon"], name="norm", dtype=dtype),
    )


def _block(arguments, name, seed, dtype):
    start = keras.initializers.RandomNormal(stddev=0.02)
    network = {name: arguments[name] for name in ("activation", "use_bias")}
    attention, rotary = dict(arguments["attention"]), arguments["rotary"]
    if arguments["gated"]:
        given = {"kernel_initializer": start, "name": "feed_forward", "dtype": dtype}
        network = GatedFeedForward(arguments["intermediate_dim"], **network, **given)
    if rotary is not None:
        attention["rotary"] = RotaryEmbedding(**rotary)
    shared = ("num_heads", "intermediate_dim", "dropout", "attention_dropout", "norm", "epsilon", "use_bias")
    shared = {name: arguments[name] for name in shared} | {"norm_first": True, "kernel_initializer": start}
    parts = {"attention": attention, "feed_forward": network}
    return TransformerDecoderBlock(**shared, **parts, seed=seed, name=name, dtype=dtype)
