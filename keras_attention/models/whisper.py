"""Whisper: speech recognition by an encoder of audio and a decoder of text."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import (
    LearnedPositionEncoding,
    LogMelSpectrogram,
    TokenEmbedding,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)
from keras_attention.layers.log_mel_spectrogram import require_floats
from keras_attention.models.parts.arguments import checked, require_heads, require_room
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.stack import (
    Stack,
    after_prompt,
    encoder_decoder_scores,
    make_seeds,
    prepare_step_after_prompt,
)
from keras_attention.ops.positions import sinusoidal
from keras_attention.ops.require import require_int, require_rate, require_seed
from keras_attention.types import DType, ModelOptions, Nest, Step, Tensor

SIZES = ("vocabulary_size", "num_encoder_layers", "num_decoder_layers", "model_dim", "num_heads", "intermediate_dim")
CHECKS = {
    **dict.fromkeys((*SIZES, "max_length", "audio_length", "num_bins"), require_int),
    **dict.fromkeys(("dropout", "attention_dropout"), require_rate),
    "seed": require_seed,
}
EPSILON = 1e-5
PER_POSITION = 320  # samples: the spectrogram has every 160th, the second convolution every second of these


@keras.saving.register_keras_serializable(package="keras_attention")
class Whisper(keras.Model):
    r"""Encoder of a waveform and decoder of text tokens, from both to the logits of the next tokens.

    $$ m = \mathrm{Encoder}(\mathrm{GELU}(\mathrm{conv}_2(\mathrm{GELU}(\mathrm{conv}_1(\mathrm{logmel}(a))))) + PE),
       \quad \mathrm{logits} = \mathrm{Decoder}(E_{tokens} + P, m) E^\top $$

    as in "Robust Speech Recognition via Large-Scale Weak Supervision"
    ([Radford et al., 2022](https://arxiv.org/abs/2212.04356)). Written out, with B batch, N samples, L = audio_length,
    S = L / 320, T tokens, M bands, V tokens of the vocabulary, D model width:

        mel:    [B, L / 160, M] = log-mel spectrogram of audio [B, N] and silence after it
        x:      [B, S, D] = GELU(conv_2(GELU(conv_1(mel)))), of 3 frames each, conv_2 with a stride of 2
        memory: [B, S, D] = LN(encoder blocks(x + PE)), norms first; PE is not trained: sines and cosines
        logits: [B, T, V] = LN(decoder blocks(embedding(tokens) + positions, memory)) . E

    Differs from the paper: the projections of keys have a bias, without any effect: it adds the same to all logits of a
    query. Neither the tokenizer nor the search over segments longer than L is part of the model.

    Masking: none. Silence after the audio is attended to, as in training on 30 s.

    Args:
        vocabulary_size: Number of tokens V.
        num_encoder_layers: Number of the encoder's blocks.
        num_decoder_layers: Number of the decoder's blocks.
        model_dim: D.
        num_heads: Attention heads.
        intermediate_dim: Hidden units of the feed-forward networks.
        max_length: Number of learned positions of tokens.
        audio_length: L, samples of the audio and the silence after it, a multiple of 320: 30 s of 16,000 a second.
        num_bins: Bands M of the spectrogram.
        dropout: Dropout rate on the embeddings and the output of each sub-layer.
        attention_dropout: Dropout rate on the attention's probabilities.
        seed: Int, seed of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"audio": [B, N], "tokens": [B, T]}`: floats from -1 to 1, 16,000 a second, and integer ids.

    Returns:
        Logits [B, T, V]; those at t are of the token at t + 1.

    Raises:
        ValueError: If an argument is out of its range, or the audio is not as `LogMelSpectrogram` says.

    Example:

    >>> import numpy as np
    >>> from keras_attention import decoding
    >>> sizes = {"num_encoder_layers": 1, "num_decoder_layers": 1, "model_dim": 12, "num_heads": 3}
    >>> model = Whisper(20, **sizes, intermediate_dim=16, max_length=10, audio_length=1600)
    >>> audio, prompt = np.zeros((2, 800), "float32"), np.array([[5, 7], [5, 7]])
    >>> tuple(model({"audio": audio, "tokens": prompt}).shape)
    (2, 2, 20)
    >>> cache = model.start(audio, prompt, max_length=4)
    >>> tuple(decoding.greedy(model.step, cache, prompt[:, -1], max_length=4, end_token=None).shape)
    (2, 4)
    """

    def __init__(
        self,
        vocabulary_size: int = 51865,
        num_encoder_layers: int = 4,
        num_decoder_layers: int = 4,
        model_dim: int = 384,
        num_heads: int = 6,
        intermediate_dim: int = 1536,
        max_length: int = 448,
        audio_length: int = 480000,
        num_bins: int = 80,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(Whisper, locals(), CHECKS)
        _require_sizes(arguments)
        given = {"scale": 1.0, "embeddings_initializer": _start(), "dtype": dtype}
        embedding = TokenEmbedding(vocabulary_size, model_dim, **given, name="embedding")
        encoder, decoder = _encoder(arguments, dtype), _decoder(embedding, arguments, dtype)
        inputs = {"audio": keras.Input((None,), name="audio", dtype="float32")}
        inputs["tokens"] = keras.Input((None,), dtype="int32", name="tokens")
        memory, _ = encoder(inputs["audio"])
        x, _ = decoder(inputs["tokens"], memory)
        super().__init__(inputs, embedding(x, reverse=True), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.encoder, self.decoder, self.scorer = encoder, decoder, embedding
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def call(self, inputs: dict[str, Tensor], training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        # Keras casts integers to the dtype of an input without a word.
        require_floats(inputs["audio"], "audio")
        return super().call(inputs, training=training, mask=mask)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        return {"tokens": self.vocabulary_size}

    def encode(self, audio: Tensor, training: bool = False) -> Tensor:
        """Encoder only: audio [B, N] -> memory [B, S, D]."""
        return self.encoder(ops.convert_to_tensor(audio), training=training)[0]

    def start(self, audio: Tensor, prompt: Tensor, max_length: int) -> Nest:
        """Encodes the audio, reads the first tokens and creates the cache. The first `step` gets the last of them.

        Args:
            audio: [B, N] floats.
            prompt: [B, P] ids, P at least 1, such as the tokens of the start, the language and the task.
            max_length: Positive int, the most tokens that follow the prompt.

        Returns:
            Nest of tensors, all batch first, for `step`: the keys and values of the blocks and "offset", the position
            of the prompt's last token.

        Raises:
            ValueError: If there are fewer learned positions than tokens.
        """
        prompt = ops.convert_to_tensor(prompt)
        require_room(prompt, max_length, self.max_length)
        B, P = ops.shape(prompt)
        caches = self.decoder.make_cache(self.encode(audio), P - 1 + max_length)
        # The last token, too, though the first step writes it again: without, a prompt of one token would be empty.
        caches = self.decoder.read(prompt, caches, training=False)[1]
        return {"blocks": caches, "offset": ops.full((B,), P - 1, dtype="int32")}

    def step(self, tokens: Tensor, cache: Nest, index: int | Tensor) -> tuple[Tensor, Nest]:
        """One decoding step: reads one token a row and returns the logits of the next.

        Args:
            tokens: [B] ids: the last of the prompt, then the chosen ones.
            cache: From `start` or the last step.
            index: Number of steps before this one: int or int32 scalar tensor.

        Returns:
            Logits [B, V], and the updated cache.
        """
        at, _ = after_prompt(cache, index)
        x, caches = self.decoder.step(ops.convert_to_tensor(tokens), cache["blocks"], at)
        return self.scorer(x, reverse=True), {**cache, "blocks": caches}

    def prepare_step(self) -> Step:
        """Returns `step` for a loop: what the weights alone determine is computed here, once for all its steps.

        The decoders of `keras_attention.decoding` call it themselves if they are given `model.step`.
        """
        plain = type(self).step is Whisper.step
        return (prepare_step_after_prompt(self.decoder, self.scorer) if plain else None) or self.step

    def attention_scores(self, inputs: dict[str, Tensor]) -> dict[str, list[Tensor]]:
        """Attention probabilities of every attention layer, in inference mode.

        Args:
            inputs: `{"audio": [B, N], "tokens": [B, T]}`, as the model is called.

        Returns:
            `{"encoder_self": ..., "decoder_self": ..., "decoder_memory": ...}`, each a list with one tensor per block:
            [B, N, S, S], [B, N, T, T], [B, N, T, S] for N heads.
        """
        audio, tokens = (ops.convert_to_tensor(inputs[name]) for name in ("audio", "tokens"))
        return encoder_decoder_scores(self.encoder, self.decoder, audio, tokens)

    def get_config(self):
        return {**common_config(self), **self._arguments}


def whisper(vocabulary_size: int = 51865, **kwargs: Any) -> Whisper:
    """Whisper of any size; default: "tiny" of its Table 1, 37,765,248 parameters.

    37,184,640 of the published network, 576,000 of the audio's positions, which it does not count, and 4,608 biases of
    keys. Shapes and paper as of `Whisper`.

    Args:
        vocabulary_size: Number of tokens; 51864 for English only.
        **kwargs: The other arguments of `Whisper`.

    Returns:
        `Whisper`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return Whisper(vocabulary_size, **kwargs)


def _require_sizes(arguments):
    require_heads({**arguments, "key_dim": None})
    if arguments["audio_length"] % PER_POSITION:
        raise ValueError(
            f"`audio_length` must be a multiple of {PER_POSITION}. Received: audio_length={arguments['audio_length']}"
        )


def _start():
    return keras.initializers.RandomNormal(stddev=0.02)


def _encoder(arguments, dtype):
    length = arguments["audio_length"] // PER_POSITION
    table = keras.initializers.Constant(sinusoidal(ops.arange(length), arguments["model_dim"], "reference"))
    position = LearnedPositionEncoding(length, table, name="encoder_position", dtype=dtype, trainable=False)
    return _stack("encoder", TransformerEncoderBlock, _convolutions(arguments, dtype), position, arguments, dtype)


def _decoder(embedding, arguments, dtype):
    position = LearnedPositionEncoding(arguments["max_length"], _start(), name="decoder_position", dtype=dtype)
    return _stack("decoder", TransformerDecoderBlock, embedding, position, arguments, dtype)


def _stack(name, block, embedding, position, arguments, dtype):
    shared = {key: arguments[key] for key in ("num_heads", "intermediate_dim", "dropout", "attention_dropout")}
    shared |= {"activation": "gelu", "use_bias": True, "norm_first": True, "epsilon": EPSILON, "dtype": dtype}
    first = None if arguments["seed"] is None else arguments["seed"] + 1000 * (name == "decoder")
    seeds = make_seeds(first, arguments[f"num_{name}_layers"])
    return Stack(
        embedding,
        position,
        keras.layers.Dropout(arguments["dropout"], seed=seeds[0], name=f"{name}_dropout", dtype=dtype),
        [block(**shared, seed=seed, name=f"{name}_block_{i}") for i, seed in enumerate(seeds[1:])],
        keras.layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm", dtype=dtype),
    )


def _convolutions(arguments, dtype):
    """A function from audio [B, N] to [B, S, D]."""
    D, given = arguments["model_dim"], {"activation": "gelu", "dtype": dtype}
    layers = [
        LogMelSpectrogram(arguments["num_bins"], arguments["audio_length"], name="log_mel", dtype=dtype),
        keras.layers.Conv1D(D, 3, padding="same", **given, name="conv_1"),
        # "same" would pad only at the end.
        keras.layers.ZeroPadding1D(1, name="padding", dtype=dtype),
        keras.layers.Conv1D(D, 3, strides=2, **given, name="conv_2"),
    ]

    def embed(audio):
        for layer in layers:
            audio = layer(audio)
        return audio

    return embed
