"""From tokens of Whisper to text, and from speech to text, in the graph of TensorFlow."""

import numpy as np
import tensorflow as tf

from keras_attention.export import serving

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


def transcription(model, tokens, config, longest=LONGEST):
    """The signature from audio to text and tokens: a function and the specs of its arguments.

    Tokens that are not spoken, and an empty transcript, are suppressed, as by the published network.
    """
    texts = np.array(bytes_of(tokens), object)

    def text_of(ids):
        return tf.strings.strip(tf.strings.reduce_join(tf.gather(tf.constant(texts), ids), axis=1))

    return serving.transcription(
        model,
        (START, WITHOUT_TIMES),
        END,
        longest,
        suppressed=config["suppress_ids"],
        first_suppressed=config["suppress_ids_begin"],
        detokenize=text_of,
    )["transcribe"]
