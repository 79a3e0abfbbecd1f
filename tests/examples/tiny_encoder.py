"""An encoder of sentences with random weights and 23 tokens, as many as the golden BERT has."""

import numpy as np
import tokenizers
from sentence_vectors import Encoder

from keras_attention import models

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lamp", "##s", "the", "light", ",", "is", "on", "shine", "##d", "no", "."]
PIECES += list("abcdefgh")


def tokenizer():
    """A WordPiece tokenizer that cuts and pads, as the published one does."""
    found = tokenizers.Tokenizer(tokenizers.models.WordPiece({p: i for i, p in enumerate(PIECES)}, unk_token="[UNK]"))
    found.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    around = [(name, PIECES.index(name)) for name in ("[CLS]", "[SEP]")]
    found.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=around)
    found.enable_truncation(4)
    found.enable_padding(length=16)
    return found


def tiny_encoder(positions=14):
    """An encoder of texts of at most `positions` tokens."""
    sizes = {"num_layers": 2, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20, "max_length": positions}
    model = models.bert(len(PIECES), **sizes, num_segments=None, pooler=False)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, x.shape) for x in model.get_weights()])
    return Encoder(model, tokenizer())
