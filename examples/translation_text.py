"""Subword tokenizer (SentencePiece), and attention scores by word."""

import io
import itertools
import pathlib

import numpy as np
import sentencepiece
from runs import OtherRunError, save_whole

PAD, START, END, UNKNOWN = range(4)
SPACE = "▁"  # SentencePiece's space, at the beginning of the first piece of a word
LARGEST = 2**31 - 1  # vocabulary that SentencePiece takes


class Subwords:
    """Byte pair encoding of one language: sentences <-> token ids.

    Args:
        model: A SentencePiece model, as bytes.
    """

    def __init__(self, model):
        self.model = model
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def of(cls, sentences, size):
        """Trains at most `size` subwords on `sentences`, deterministically; fewer if the sentences have no more.

        Raises:
            OtherRunError: If `size` is less than the number of characters and special tokens.
        """
        least = cls(_trained(sentences, LARGEST, "char")).vocabulary_size
        if size < least:
            raise OtherRunError(
                f"--vocabulary must be at least {least}, for each character of the sentences and {UNKNOWN + 1} special "
                f"tokens. Received: {size}"
            )
        return cls(_trained(sentences, min(size, LARGEST), "bpe"))

    @classmethod
    def load(cls, path):
        return cls(pathlib.Path(path).read_bytes())

    def save(self, path):
        """Writes a file atomically."""
        save_whole(pathlib.Path(path), lambda beside: beside.write_bytes(self.model))

    @property
    def vocabulary_size(self):
        return self.processor.get_piece_size()

    def encode(self, sentences):
        """Sentences -> lists of ids, each with `END`."""
        return [[*ids, END] for ids in self.processor.encode(list(sentences))]

    def decode(self, rows):
        """Rows of ids -> sentences, up to the first `END`."""
        return [self.processor.decode(cut(row)) for row in rows]

    def pieces(self, ids):
        """The subwords of ids, as SentencePiece writes them."""
        return [self.processor.id_to_piece(int(i)) for i in ids]


def _trained(sentences, size, kind):
    """The SentencePiece model of at most `size` pieces, as bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=PAD,
        bos_id=START,
        eos_id=END,
        unk_id=UNKNOWN,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def cut(ids):
    """The ids before the first `END`."""
    return list(itertools.takewhile(lambda i: i != END, map(int, ids)))


def padded(rows, start=False):
    """Rows of ids -> int32 [B, T], 0 after the end; with `start`, shifted by one position as a decoder input."""
    rows = [[START, *row[:-1]] for row in rows] if start else rows
    ids = np.full((len(rows), max(map(len, rows))), PAD, "int32")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids


def by_word(scores, query_pieces, key_pieces):
    """Attention between subwords -> attention between words.

        words: [n, m] = mean over the pieces of the query's word of the sum over the pieces of the key's word

    The sum of a row stays one.

    Returns:
        `(scores, query words, key words)`.
    """
    (query_words, queries), (key_words, keys) = whole_words(query_pieces), whole_words(key_pieces)
    scores = np.add.reduceat(np.asarray(scores), keys, axis=1)
    sizes = np.diff([*queries, len(query_pieces)])
    return np.add.reduceat(scores, queries, axis=0) / sizes[:, None], query_words, key_words


def whole_words(pieces):
    """The words of pieces, and the index of the first piece of each; the end of the sentence is a word of its own."""
    begins = [i for i, p in enumerate(pieces) if i == 0 or p.startswith(SPACE) or p == "</s>"]
    words = ["".join(pieces[i:j]).replace(SPACE, "") for i, j in zip(begins, [*begins[1:], len(pieces)])]
    return ["(end)" if word == "</s>" else word for word in words], begins
