"""Bytes and words of tokens, and speech to text in one graph, by a small network with random weights."""

import numpy as np
import pytest
import speech_text

from keras_attention import decoding
from tests.backend import BACKEND
from tests.models.factories import make

TOKENS = ["!", "Ġis", "é", "Ã", "©", "<|en|>", "Ċ", "ĠAttention", "<", "|>", "s"]


def test_bytes_of_byte_level_tokens():
    pieces = speech_text.bytes_of(TOKENS)
    assert pieces == [b"!", b" is", b"\xe9", b"\xc3", b"\xa9", b"", b"\n", b" Attention", b"<", b"|>", b"s"]
    # All 256 bytes have a character of their own.
    characters = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    assert sorted(speech_text.bytes_of(characters)) == [bytes([b]) for b in range(256)]


def test_a_word_begins_with_a_space():
    pieces = [b"", b" Atten", b"tion", b" is", b".", b"", b" All"]
    assert speech_text.words_of(pieces) == [[1, 2], [3, 4], [6]]
    assert speech_text.words_of([b"no", b"w", b" on"]) == [[0, 1], [2]]
    assert speech_text.words_of([]) == []


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the graph is TensorFlow's")
def test_speech_to_text_in_one_graph(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(speech_text, "START", 5)
    monkeypatch.setattr(speech_text, "WITHOUT_TIMES", 6)
    monkeypatch.setattr(speech_text, "END", 10)
    model, config = make("Whisper"), {"suppress_ids": [5, 6], "suppress_ids_begin": [10]}
    audio = 0.1 * np.random.default_rng(0).standard_normal((3, 905)).astype("float32")
    function, specs = speech_text.transcription(model, TOKENS, config, longest=4)
    answer = tf.function(function, autograph=False)(audio=audio, audio_lengths=tf.constant([905] * 3))
    assert list(specs) == ["audio", "audio_lengths"]
    prompt = np.array([[5, 6]] * 3)
    step = decoding.suppress(model.step, [5, 6], [10])
    cache = model.start(audio, prompt, 4)
    expected = decoding.greedy(step, cache, prompt[:, 1], 4, 10, pad_token=10).numpy()
    np.testing.assert_array_equal(answer["tokens"], expected)
    pieces = speech_text.bytes_of(TOKENS)
    for text, row in zip(answer["text"].numpy(), expected, strict=True):
        assert text == b"".join(pieces[token] for token in row).strip() and text
