"""BERT: published sizes, padding, segments. Against transformers: tests/migrate/test_bert.py."""

import numpy as np
import pytest

from keras_attention import models
from tests.layers.helpers import numpy
from tests.models.helpers import noisy

SIZES = {"num_layers": 2, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20, "max_length": 9}
INPUTS = {
    "tokens": np.array([[5, 7, 11, 2, 9], [4, 22, 8, 0, 0]]),
    "segments": np.array([[0, 0, 1, 1, 1], [1, 0, 1, 0, 0]]),
}


def count(V, L, S, D, F, layers):
    """Table of tokens, positions, segments and their norm; blocks; pooler."""
    block = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    return (V + L + S) * D + 2 * D + layers * block + D * D + D


def test_has_its_published_size():
    """109,482,240 of the base model by the formula that holds for a small one, and the sizes of its defaults."""
    assert count(30522, 512, 2, 768, 3072, 12) == 109_482_240
    assert models.BERT.__init__.__defaults__[:7] == (30522, 12, 768, 12, 3072, 512, 2)
    assert models.bert(23, **SIZES).count_params() == count(23, 9, 2, 12, 20, 2)


def test_padding_has_no_effect():
    model = noisy(models.bert(23, **SIZES))
    padded = model(INPUTS)
    alone = model({name: x[1:, :3] for name, x in INPUTS.items()})
    np.testing.assert_allclose(numpy(padded["states"])[1, :3], numpy(alone["states"])[0], atol=1e-5)
    np.testing.assert_allclose(numpy(padded["pooled"])[1], numpy(alone["pooled"])[0], atol=1e-5)


def test_segments_and_pooler_are_optional():
    model = noisy(models.bert(23, **SIZES, num_segments=None, pooler=False))
    assert list(model({"tokens": INPUTS["tokens"]})) == ["states"] and model.vocabularies == {"tokens": 23}
    assert models.bert(23, **SIZES).vocabularies == {"tokens": 23, "segments": 2}
    assert model.count_params() == count(23, 9, 0, 12, 20, 2) - 12 * 13


def test_longer_texts_than_positions_are_refused():
    with pytest.raises(ValueError, match="Positions must be from 0 to"):
        models.bert(23, **SIZES)({name: np.ones((1, 10), "int32") for name in INPUTS})
