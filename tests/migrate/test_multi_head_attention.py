"""Multi-head attention with converted weights matches the stored outputs of tensorflow-addons."""

import numpy as np
import pytest

from keras_attention import migrate
from tests import goldens
from tests.layers.helpers import numpy

CASES = goldens.cases("multi_head_attention")
ATOL = 1e-5


def answer(layer, case):
    key, mask = case["key"], case.get("mask")
    value = case.get("value", key)
    output, scores = layer(case["query"], value, key, attention_mask=mask, return_attention_scores=True)
    without = layer(case["query"], value, key, attention_mask=mask)
    np.testing.assert_allclose(numpy(without), numpy(output), atol=ATOL)
    return numpy(output), numpy(scores)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"nothing"}))
def test_matches_tensorflow_addons(name):
    case = CASES[name]
    output, scores = answer(migrate.multi_head_attention(case["weights"]), case)
    np.testing.assert_allclose(output, case["output"], atol=ATOL)
    np.testing.assert_allclose(scores, case["scores"], atol=ATOL)


def test_fully_masked_query_has_zero_context_instead_of_the_mean():
    case = CASES["nothing"]
    blind = ~case["mask"].any(-1)
    assert blind.sum() == 1
    output, scores = answer(migrate.multi_head_attention(case["weights"]), case)
    np.testing.assert_allclose(output[~blind], case["output"][~blind], atol=ATOL)
    [bias] = [w for name, w in case["weights"].items() if name.endswith("projection_bias:0")]
    np.testing.assert_allclose(output[blind], bias[None], atol=1e-6)
    assert not scores.transpose(0, 2, 1, 3)[blind].any()
    np.testing.assert_allclose(case["scores"].transpose(0, 2, 1, 3)[blind], 1 / 7, atol=1e-6)


def test_arguments_are_passed_to_the_layer():
    layer = migrate.multi_head_attention(CASES["no_bias"]["weights"], dropout=0.3, name="old")
    assert (layer.dropout, layer.name, layer.use_bias) == (0.3, "old", False)


def test_missing_weight_raises_an_error():
    weights = {name: w for name, w in CASES["plain"]["weights"].items() if "key_kernel" not in name}
    with pytest.raises(ValueError, match="must have a `key_kernel`. Received: .*query_kernel .4, 6, 3."):
        migrate.multi_head_attention(weights)


def test_list_of_weights_raises_an_error():
    with pytest.raises(ValueError, match="mapping of names to arrays.*Received: weights of type list"):
        migrate.multi_head_attention(list(CASES["plain"]["weights"].values()))
