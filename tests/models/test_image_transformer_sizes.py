"""Parameter counts of the published configurations."""

import numpy as np
import pytest

from keras_attention.models import image_transformer
from tests.backend import numpy
from tests.models.helpers import without_memory

MIXTURE = {
    "model_dim": 256,
    "intermediate_dim": 512,
    "num_heads": 8,
    "key_dim": 64,
    "likelihood": "logistic_mixture",
}
SUPER_RESOLUTION = {"num_layers": 8, "num_encoder_layers": 4, "num_heads": 8, "query_block": 128, "memory_block": 128}
TWO_DIMENSIONS = {"num_layers": 8, "model_dim": 1024, "num_heads": 16, "query_block": (8, 16), "memory_block": (0, 32)}
COUNTS = {
    "cifar10": ({}, 38_328_576),
    # The published code's tables have one row and one column per value of an image, and three more.
    "cifar10-mixture": (
        {**MIXTURE, "position_encoding": "learned", "max_size": (3075, 3075), "variant": "reference"},
        11_059_712,
    ),
    "cifar10-mixture-sinusoids": (MIXTURE, 9_485_312),
    "two-dimensions": (TWO_DIMENSIONS, 68_215_040),
    "super-resolution": (SUPER_RESOLUTION, 47_118_592),
    "super-resolution-6-12-pre-norm": (
        {**SUPER_RESOLUTION, "num_layers": 12, "num_encoder_layers": 6, "norm_first": True},
        70_219_008 + 2_048,
    ),
    "ten-classes": ({"num_layers": 8, "num_heads": 8, "num_classes": 10}, 25_727_232 + 10 * 512),
}


@pytest.mark.parametrize(("arguments", "count"), COUNTS.values(), ids=COUNTS)
def test_parameter_counts_are_the_published_ones(arguments, count):
    with without_memory():
        assert image_transformer(**arguments).count_params() == count


def test_parameter_counts_of_single_layers():
    with without_memory():
        model = image_transformer()
        assert model.get_layer("decoder_embedding").count_params() == 768 * 512
        assert model.get_layer("decoder_block_0").count_params() == 3_150_336
        assert model.get_layer("logits").count_params() == 131_328
        assert image_transformer(**MIXTURE).get_layer("decoder_block_0").count_params() == 788_224


def test_kernels_start_with_a_fifth_of_glorots_variance():
    block = image_transformer(num_layers=1).get_layer("decoder_block_0")
    for w in block.self_attention.weights:
        assert abs(np.abs(numpy(w)).max() - 0.0342) < 1e-4, w.path
