"""From tokens of Whisper to text, and from speech to text, in the graph of TensorFlow."""

import numpy as np
import tensorflow as tf
from speech_data import RATE, SECONDS

from keras_attention import decoding

AUDIO = [tf.TensorSpec([None, None], "float32", name="audio")]
START, WITHOUT_TIMES, END = 50257, 50362, 50256
LONGEST = 224  # tokens, of 30 seconds of speech


def bytes_of(tokens):
    """The bytes of each token; none of those that are no text, such as `<|endoftext|>`.

    Of byte-level byte-pair encoding: a character stands for a byte. Printable ones of Latin-1 are themselves; the other
    bytes, in their order, are the characters from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    of_character = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    special = [token.startswith("<|") and token.endswith("|>") for token in tokens]
    return [b"" if no else bytes(of_character[c] for c in token) for token, no in zip(tokens, special, strict=True)]


def words_of(pieces):
    """Groups of positions of tokens, given as bytes: a word begins with a space; an empty token is of none."""
    words = []
    for i, piece in enumerate(pieces):
        if piece and (piece.startswith(b" ") or not words):
            words.append([])
        if piece:
            words[-1].append(i)
    return words


def transcriber(model, tokens, config, longest=LONGEST):
    """From audio to text in one graph: `audio` [B, N] -> {"text": [B] strings, "tokens": [B, L]}.

    Audio is of 16,000 samples a second. Empty audio, and such of more than 30 seconds, is an error. Tokens that are not
    spoken, and an empty transcript, are suppressed, as by the published network.
    """
    texts = np.array(bytes_of(tokens), object)
    step = decoding.suppress(model.step, config["suppress_ids"], config["suppress_ids_begin"])

    # AutoGraph has nothing to convert here, and would take longer than the trace.
    @tf.function(input_signature=AUDIO, autograph=False)
    def transcribe(audio):
        B, N = tf.unstack(tf.shape(audio))
        checks = [tf.debugging.assert_positive(N, "audio must not be empty")]
        checks += [tf.debugging.assert_less_equal(N, RATE * SECONDS, f"audio must be of at most {SECONDS} seconds")]
        with tf.control_dependencies(checks):
            prompt = tf.tile([[START, WITHOUT_TIMES]], [B, 1])
        cache = model.start(audio, prompt, longest)
        chosen = decoding.greedy(step, cache, prompt[:, -1], longest, END, pad_token=END)
        text = tf.strings.reduce_join(tf.gather(tf.constant(texts), chosen), axis=1)
        return {"text": tf.strings.strip(text), "tokens": chosen}

    return transcribe
