"""Signature of Whisper in a graph of unknown sizes: rows of several lengths as if alone.

`test_whisper_speech` exports it.
"""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention import decoding, models
from keras_attention.export import serving
from keras_attention.export.signatures import concrete, extra_signature
from tests.export.models import noisy
from tests.models.factories import SPEECH, of_class

END, L, PROMPT = 10, 4, (5, 6)
SUPPRESSED = {"suppressed": [3], "first_suppressed": [END]}
AUDIO = 0.1 * np.random.default_rng(0).standard_normal((3, 905)).astype("float32")
LENGTHS = [905, 300, 1]


@pytest.fixture(scope="module")
def served():
    model = noisy(models.whisper(11, **{**SPEECH, "num_encoder_layers": 1}))
    signatures = serving.transcription(
        model, PROMPT, END, L, **SUPPRESSED, detokenize=lambda ids: tf.strings.reduce_join(tf.as_string(ids), 1)
    )
    return model, concrete(*extra_signature("transcribe", signatures["transcribe"]))


def test_rows_are_transcribed_as_if_alone(served):
    model, transcribe = served
    padded = np.where(np.arange(905) < np.reshape(LENGTHS, (3, 1)), AUDIO, 7.0).astype("float32")
    answer = transcribe(audio=tf.constant(padded), audio_lengths=tf.constant(LENGTHS))
    step = decoding.suppress(model.step, [3], [END])
    for i, length in enumerate(LENGTHS):
        cache = model.start(AUDIO[i : i + 1, :length], np.array([PROMPT]), L)
        expected = decoding.greedy(step, cache, [PROMPT[-1]], L, END, pad_token=END).numpy()[0]
        np.testing.assert_array_equal(answer["tokens"][i], expected)
        assert answer["text"][i].numpy().decode() == "".join(map(str, expected))


def test_wrong_requests_are_errors(served):
    _, transcribe = served
    for lengths in ([905, 0, 1], [905, -1, 1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`audio_lengths` must be at least 1"):
            transcribe(audio=tf.constant(AUDIO), audio_lengths=tf.constant(lengths))
    with pytest.raises(tf.errors.InvalidArgumentError, match="`audio` must have at most 2560 samples"):
        transcribe(audio=tf.zeros((1, 2561)), audio_lengths=tf.constant([5]))


def test_wrong_arguments():
    model = of_class("Whisper")
    for change, message in (
        ({"prompt": ()}, r"`prompt` must be ints, at least one. Received: prompt=\(\)"),
        ({"prompt": (1.5,)}, "`prompt` must be"),
        ({"end_token": None}, "`end_token`"),
        ({"max_length": 0}, "`max_length`"),
        ({"suppressed": [-1]}, "`tokens` must be an int of at least 0"),
        ({"detokenize": 3}, "`detokenize` must be callable, or `None`"),
    ):
        with pytest.raises(ValueError, match=message):
            serving.transcription(model, **{"prompt": PROMPT, "end_token": END, "max_length": L, **change})
