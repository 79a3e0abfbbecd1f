"""Parameter counts of the base and the big model, and of Table 3 within its rounding."""

import pytest

from keras_attention.models import transformer_base, transformer_big
from tests.models.helpers import without_memory


def count(make, vocabulary_size, **kwargs):
    """Number of parameters, without initializing them."""
    with without_memory():
        return make(vocabulary_size, **kwargs).count_params()


def by_hand(V, N=6, d=512, ff=2048, h=8, dk=64, dv=64):
    """Count from the paper: no biases in attention, biases in the feed-forward network, 2d per norm, one table."""
    attention = d * h * (2 * dk + dv) + h * dv * d
    feed_forward = 2 * d * ff + ff + d
    return V * d + N * ((attention + feed_forward + 4 * d) + (2 * attention + feed_forward + 6 * d))


def test_base_has_63_million_parameters():
    with without_memory():
        model = transformer_base(vocabulary_size=37000)
    assert model.count_params() == 63_045_632 == by_hand(37000)
    assert model.encoder.blocks[0].count_params() == 3_150_336
    assert model.decoder.blocks[0].count_params() == 4_199_936
    assert model.encoder.blocks[0].self_attention.count_params() == 1_048_576
    assert model.encoder.blocks[0].feed_forward.count_params() == 2_099_712


def test_parameter_count_of_base_with_32000_tokens():
    assert by_hand(32_000) == 60_485_632
    assert count(transformer_base, 32_000, num_layers=1) == by_hand(32_000, N=1)


def test_big_has_214_million_parameters():
    assert count(transformer_big, 37000) == 214_171_648 == by_hand(37000, d=1024, ff=4096, h=16)


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        ({"norm_first": True}, 63_047_680 - 63_045_632),
        ({"use_bias": True}, (63_082_496 - 63_045_632) // 6),
        ({"tie_embeddings": False}, 2 * 37000 * 512),
    ],
    ids=["pre-norm", "biased", "untied"],
)
def test_parameter_counts_of_variants(arguments, more):
    """Added parameters, with one of the six layers."""
    assert count(transformer_base, 37000, num_layers=1, **arguments) == by_hand(37000, N=1) + more


TABLE_3 = {  # millions, as printed; with 41,100 tokens all rows fit at once
    "base": ({}, 65),
    "dk=16": ({"key_dim": 16}, 58),
    "dk=32": ({"key_dim": 32}, 60),
    "d=256": ({"model_dim": 256}, 28),
    "d=1024": ({"model_dim": 1024}, 168),
    "ff=1024": ({"intermediate_dim": 1024}, 53),
    "ff=4096": ({"intermediate_dim": 4096}, 90),
}


@pytest.mark.parametrize(("arguments", "millions"), TABLE_3.values(), ids=TABLE_3)
def test_parameter_counts_of_table_3(arguments, millions):
    """The model is built with one layer; all six have the same size."""
    names = {"key_dim": "dk", "model_dim": "d", "intermediate_dim": "ff"}
    by_name = {names[name]: value for name, value in arguments.items()}
    if "d" in by_name:
        by_name |= {"dk": by_name["d"] // 8, "dv": by_name["d"] // 8}
    assert round(by_hand(41_100, **by_name) / 1e6) == millions
    assert count(transformer_base, 41_100, num_layers=1, **arguments) == by_hand(41_100, N=1, **by_name)


def test_parameter_counts_of_table_3_with_other_numbers_of_layers():
    assert [round(by_hand(41_100, N=N) / 1e6) for N in (2, 4, 8)] == [36, 50, 80]
    assert count(transformer_base, 41_100, num_layers=2) == by_hand(41_100, N=2)


@pytest.mark.parametrize("heads", [1, 32])
def test_parameter_count_does_not_depend_on_the_number_of_heads(heads):
    assert count(transformer_base, 37000, num_heads=heads, num_layers=1) == by_hand(37000, N=1)


def test_dropout_rates_of_the_paper():
    with without_memory():
        assert (transformer_base(23, num_layers=1).dropout, transformer_big(23, num_layers=1).dropout) == (0.1, 0.3)
        assert transformer_big(23, dropout=0.1, num_layers=1).dropout == 0.1
