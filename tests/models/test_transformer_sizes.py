"""How many weights: the counts of the facts for the base and the big model, and Table 3 within its rounding."""

import pytest

from keras_attention.models import transformer_base, transformer_big
from tests.models.helpers import without_memory


def count(make, vocabulary_size, **kwargs):
    """Builds the network without its (large) memory: nothing is initialised in here."""
    with without_memory():
        return make(vocabulary_size, **kwargs).count_params()


def by_hand(V, N=6, d=512, ff=2048, h=8, dk=64, dv=64):
    """Arithmetic from the paper: no biases in attention, biases in the feed-forward network, 2d a norm, one table."""
    attention = d * h * (2 * dk + dv) + h * dv * d
    feed_forward = 2 * d * ff + ff + d
    return V * d + N * ((attention + feed_forward + 4 * d) + (2 * attention + feed_forward + 6 * d))


def test_base_has_63_million_weights():
    with without_memory():
        model = transformer_base(vocabulary_size=37000)
    assert model.count_params() == 63_045_632 == by_hand(37000)
    assert model.encoder.blocks[0].count_params() == 3_150_336
    assert model.decoder.blocks[0].count_params() == 4_199_936
    assert model.encoder.blocks[0].self_attention.count_params() == 1_048_576
    assert model.encoder.blocks[0].feed_forward.count_params() == 2_099_712


def test_big_has_214_million_weights():
    assert count(transformer_big, 37000) == 214_171_648 == by_hand(37000, d=1024, ff=4096, h=16)


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        ({"norm_first": True}, 63_047_680),
        ({"use_bias": True}, 63_082_496),
        ({"tie_embeddings": False}, 63_045_632 + 2 * 37000 * 512),
        ({"vocabulary_size": 32000}, 60_485_632),
    ],
    ids=["pre-norm", "biased", "untied", "32000-tokens"],
)
def test_counts_of_variants(arguments, total):
    arguments = {"vocabulary_size": 37000, **arguments}
    assert count(transformer_base, **arguments) == total


TABLE_3 = {  # millions, as printed; with 41,100 tokens all rows fit at once
    "base": ({}, 65),
    "dk=16": ({"key_dim": 16}, 58),
    "dk=32": ({"key_dim": 32}, 60),
    "N=2": ({"num_layers": 2}, 36),
    "N=4": ({"num_layers": 4}, 50),
    "N=8": ({"num_layers": 8}, 80),
    "d=256": ({"model_dim": 256}, 28),
    "d=1024": ({"model_dim": 1024}, 168),
    "ff=1024": ({"intermediate_dim": 1024}, 53),
    "ff=4096": ({"intermediate_dim": 4096}, 90),
}


@pytest.mark.parametrize(("arguments", "millions"), TABLE_3.values(), ids=TABLE_3)
def test_rows_of_table_3(arguments, millions):
    assert round(count(transformer_base, 41_100, **arguments) / 1e6) == millions


@pytest.mark.parametrize("heads", [1, 32])
def test_the_number_of_heads_changes_no_count(heads):
    assert count(transformer_base, 37000, num_heads=heads, num_layers=1) == by_hand(37000, N=1)


def test_dropout_rates_of_the_paper():
    with without_memory():
        assert (transformer_base(23).dropout, transformer_big(23).dropout) == (0.1, 0.3)
        assert transformer_big(23, dropout=0.1).dropout == 0.1
