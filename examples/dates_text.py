"""Character tokenizer in core TensorFlow operations only, so that training and the served model agree.

Texts are lower-cased, without invisible characters, combining accents and double spaces. Each character is one token;
characters that are not in the training data, and bytes that are not UTF-8, are `UNKNOWN`.
"""

import tensorflow as tf

PAD, START, END, UNKNOWN = range(4)
RESERVED = 4


class DateText(tf.Module):
    """Characters to token ids: [B] strings -> ids [B, S] (0 after the end), and ids [B, n] -> [B] strings.

    Args:
        characters: The vocabulary, in the order of the ids.
        max_length: Longer texts are truncated; `encode` returns the full lengths too, so that a caller can refuse them.
    """

    def __init__(self, characters, max_length=48):
        super().__init__(name="date_text")
        self.characters, self.max_length = list(characters), max_length
        ids = tf.range(RESERVED, RESERVED + len(self.characters))
        keys = tf.constant(self.characters)
        self.to_id = _table(keys, ids, UNKNOWN)
        self.to_character = _table(ids, keys, "")

    @classmethod
    def of(cls, texts, **kwargs):
        """A tokenizer with the characters of `texts`."""
        split = tf.strings.unicode_split(normalise(tf.constant(texts)), "UTF-8")
        return cls(sorted(c.decode() for c in set(split.flat_values.numpy())), **kwargs)

    @property
    def vocabulary_size(self):
        return RESERVED + len(self.characters)

    def encode(self, texts):
        """[B] strings -> ids [B, S], lengths [B] before truncation."""
        characters = tf.strings.unicode_split(normalise(texts), "UTF-8")
        lengths = tf.cast(characters.row_lengths(), "int32")
        ids = tf.ragged.map_flat_values(self.to_id.lookup, characters[:, : self.max_length])
        return ids.to_tensor(PAD), lengths

    def decode(self, tokens):
        """ids [B, n] -> [B] strings, up to the first `END`."""
        written = tf.cumsum(tf.cast(tokens == END, "int32"), axis=1) == 0
        return tf.strings.reduce_join(tf.where(written, self.to_character.lookup(tokens), ""), axis=1)


def normalise(texts):
    """Lower case, no combining accents, no invisible characters, single spaces; invalid UTF-8 becomes U+FFFD."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace", replace_control_characters=False)
    texts = tf.strings.regex_replace(texts, r"\p{Cf}", "")
    # Before lower-casing: `tf.strings.lower` ends at a zero byte.
    texts = tf.strings.regex_replace(texts, r"[\pZ\pC]+", " ")
    texts = tf.strings.lower(tf.strings.strip(texts), encoding="utf-8")
    return tf.strings.regex_replace(texts, r"[\x{300}-\x{36F}]", "")


def _table(keys, values, default):
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)
