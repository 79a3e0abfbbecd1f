"""Keys and values give the same output from the inputs, from a memory and from a cache, with their padding."""

import numpy as np
import pytest

from keras_attention.layers import MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random

X, SOURCE = random(2, 5, 12), random(2, 7, 12, seed=1)
REAL = np.arange(7) < np.array([[4], [7]])


def attention():
    return noisy(MultiHeadAttention(4, 3, num_key_value_heads=2), X)


def test_a_memory_is_its_inputs():
    layer = attention()
    expected = numpy(layer(X, SOURCE, value_mask=REAL))
    assert np.abs(expected - numpy(layer(X, SOURCE))).max() > 1e-2
    for mask, given in ((REAL, {}), (None, {"value_mask": REAL})):
        memory = layer.project_memory(SOURCE, mask=mask)
        np.testing.assert_allclose(numpy(layer(X, memory=memory, **given)), expected, atol=1e-5)


def test_padding_in_a_cache_without_a_mask_is_that_of_the_call():
    layer, mask = attention(), REAL[:, ::-1][:, :5]
    cache = {name: x for name, x in layer.make_cache(2, 5).items() if name != "mask"}
    output, cache = layer(X, query_mask=mask, cache=cache, cache_index=0)
    expected = numpy(layer(X, query_mask=mask, use_causal_mask=True))
    np.testing.assert_allclose(numpy(output)[mask], expected[mask], atol=1e-5)
    assert "mask" not in cache


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"value": SOURCE, "value_mask": REAL[:, :6]}, r"`value_mask`.*\(2, 6\)"),
        ({"query_mask": REAL}, r"`query_mask`.*\(2, 7\)"),
        ({"attention_mask": REAL}, r"`attention_mask`.*\(2, 7\)"),
    ],
)
def test_masks_of_other_shapes_are_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        attention()(X, **given)
