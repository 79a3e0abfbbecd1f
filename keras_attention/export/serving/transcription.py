"""Signature of speech recognition: `transcribe`."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_attention.decoding import greedy, suppress
from keras_attention.export.serving.tokens import require_callables, written
from keras_attention.export.signatures import zero_beyond
from keras_attention.ops.require import require_int, require_ints
from keras_attention.types import Signatures, Tensor


def transcription(
    model: Any,
    prompt: Sequence[int],
    end_token: int,
    max_length: int,
    *,
    suppressed: Sequence[int] = (),
    first_suppressed: Sequence[int] = (),
    detokenize: Callable[[Tensor], Tensor] | None = None,
) -> Signatures:
    """Signature of `models.whisper`: from a waveform to text, with the decoding loop in the graph.

        transcribe: audio [B, N], audio_lengths [B] -> tokens [B, L]
                    with `detokenize`               -> tokens [B, L], text [B]

    Samples beyond a row's length are silence. Audio without a sample, or with more than `model.audio_length` of them,
    is an error of the request.

    Args:
        model: Model with `start(audio, prompt, max_length)` and `step(tokens, cache, index)`.
        prompt: Ints, the tokens of start, language and task.
        end_token: Int; a text ends with it, and is filled up with it.
        max_length: Positive int L, the most tokens of a text, end token included.
        suppressed, first_suppressed: See `decoding.suppress`.
        detokenize: Callable from int32 ids [B, L], `end_token` from the end on, to strings [B].

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import serving
    >>> sizes = {"num_encoder_layers": 1, "num_decoder_layers": 1, "model_dim": 12, "num_heads": 3}
    >>> model = models.whisper(20, **sizes, intermediate_dim=16, audio_length=1600)
    >>> function, specs = serving.transcription(model, prompt=[5, 7], end_token=2, max_length=4)["transcribe"]
    >>> tuple(function(audio=tf.zeros((1, 900)), audio_lengths=tf.constant([900]))["tokens"].shape)
    (1, 4)
    """
    import tensorflow as tf

    tokens = require_ints(prompt, "prompt", least=0)
    if tokens is None:
        raise ValueError(f"`prompt` must be ints, at least one. Received: prompt={prompt!r}")
    require_int(end_token, "end_token", least=0)
    require_int(max_length, "max_length")
    require_callables(detokenize=detokenize)
    step = suppress(model.step, suppressed, first_suppressed)

    def transcribe(audio, audio_lengths):
        with tf.control_dependencies(_checks(audio, audio_lengths, model.audio_length)):
            audio = zero_beyond(audio, audio_lengths)
        first = ops.tile(ops.convert_to_tensor([tokens], dtype="int32"), (ops.shape(audio)[0], 1))
        cache = model.start(audio, first, max_length)
        chosen = greedy(step, cache, first[:, -1], max_length, end_token, pad_token=end_token)
        return {**written(chosen, None, None), **written(chosen, None, detokenize)}

    specs = {"audio": tf.TensorSpec([None, None], "float32"), "audio_lengths": tf.TensorSpec([None], "int32")}
    return {"transcribe": (transcribe, specs)}


def _checks(audio, count, most):
    import tensorflow as tf

    return [
        tf.debugging.assert_positive(count, "`audio_lengths` must be at least 1"),
        tf.debugging.assert_less_equal(tf.shape(audio)[1], most, f"`audio` must have at most {most} samples"),
    ]
