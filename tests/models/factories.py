"""A small model of every class that the factories build, with noise in all weights, and inputs of it."""

import functools

import numpy as np

from keras_attention import models
from tests.layers.helpers import random
from tests.models import helpers, image_helpers, test_sagan, test_selection_gan
from tests.models.selection_gan_weights import noisy

RECURRENT = {"embedding_dim": 5, "units": 6}
GLIMPSES = {"num_glimpses": 2, "size": 3, "glimpse_units": 7, "location_units": 5, "units": 8}
SPEECH = {"num_encoder_layers": 2, "num_decoder_layers": 1, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20}
SPEECH |= {"max_length": 9, "audio_length": 2560, "num_bins": 7}
NETWORKS = {
    "Transformer": lambda: models.transformer(**{**helpers.SIZES, "num_layers": 1}),
    "RNNSearch": lambda: models.rnn_search(11, 13, **RECURRENT),
    "LuongLSTM": lambda: models.luong_lstm(11, 13, num_layers=1, **RECURRENT),
    "ImageTransformer": lambda: models.image_transformer(
        **{**image_helpers.SIZES, **image_helpers.VARIANTS["2d"], "num_layers": 1}
    ),
    "SAGANGenerator": lambda: test_sagan.small()[0],
    "SAGANDiscriminator": lambda: test_sagan.small()[1],
    "SelectionGANGenerator": lambda: test_selection_gan.small()[0],
    "PatchDiscriminator": lambda: models.PatchDiscriminator(width=2, num_layers=2),
    "RecurrentAttention": lambda: models.recurrent_attention(**GLIMPSES),
    "AttentionResNet": lambda: models.AttentionResNet((1,), False, "se", {"ratio": 2}, 3, 4, "3x3"),
    "NonLocalResNet": lambda: models.NonLocalResNet((1,), {"res2": (0,)}, num_classes=3, width=4, temporal_stride=1),
    "BERT": lambda: models.bert(11, num_layers=1, model_dim=12, num_heads=3, intermediate_dim=20, max_length=9),
    "GPT": lambda: models.llama(
        11, num_layers=1, model_dim=12, num_heads=6, intermediate_dim=20, attention={"num_key_value_heads": 2}
    ),
    "Whisper": lambda: models.whisper(11, **SPEECH),
    "VisionTransformer": lambda: models.VisionTransformer((4, 9), (2, 3), 1, 12, 4, 20, 5, input_channels=2),
}
IMAGES = {"image": np.tanh(random(2, 16, 20, 3)), "source": np.tanh(random(2, 16, 20, 3, seed=1))}
TOKENS = {"source": np.array([[5, 7, 2], [3, 2, 0]]), "target": np.array([[1, 4, 6, 2], [1, 2, 0, 0]])}
INPUTS = {
    "Transformer": helpers.INPUTS,
    "RNNSearch": TOKENS,
    "LuongLSTM": TOKENS,
    "ImageTransformer": np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3)).astype("int32"),
    "SAGANGenerator": {"noise": test_sagan.NOISE, "label": test_sagan.LABEL},
    "SAGANDiscriminator": {"image": test_sagan.IMAGE, "label": test_sagan.LABEL},
    "SelectionGANGenerator": {
        "source": np.tanh(random(2, 16, 24, 3)),
        "semantics": np.tanh(random(2, 16, 24, 3, seed=1)),
    },
    "PatchDiscriminator": IMAGES,
    "RecurrentAttention": random(4, 9, 11, 1),
    "AttentionResNet": random(2, 6, 5, 3),
    "NonLocalResNet": random(2, 4, 8, 11, 3),
    "BERT": {"tokens": TOKENS["target"], "segments": np.array([[0, 0, 1, 1], [1, 0, 0, 0]])},
    "GPT": TOKENS["target"],
    "Whisper": {"audio": 0.1 * random(2, 905), "tokens": TOKENS["target"]},
    "VisionTransformer": random(3, 4, 9, 2),
}


def make(name):
    """A new model of the class."""
    return noisy(NETWORKS[name]())


@functools.cache
def of_class(name):
    """The cached model of the class, for tests that do not modify it."""
    return make(name)
