"""Multi-head attention with weights of tensorflow-addons gives what tensorflow-addons gave."""

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
def test_gives_what_tensorflow_addons_gave(name):
    case = CASES[name]
    output, scores = answer(migrate.multi_head_attention(case["weights"]), case)
    np.testing.assert_allclose(output, case["output"], atol=ATOL)
    np.testing.assert_allclose(scores, case["scores"], atol=ATOL)


def test_a_query_that_sees_nothing_gets_zeros_and_not_the_mean_of_all():
    case = CASES["nothing"]
    blind = ~case["mask"].any(-1)
    assert blind.sum() == 1
    output, scores = answer(migrate.multi_head_attention(case["weights"]), case)
    np.testing.assert_allclose(output[~blind], case["output"][~blind], atol=ATOL)
    [bias] = [w for name, w in case["weights"].items() if name.endswith("projection_bias:0")]
    np.testing.assert_allclose(output[blind], bias[None], atol=1e-6)
    assert not scores.transpose(0, 2, 1, 3)[blind].any()
    np.testing.assert_allclose(case["scores"].transpose(0, 2, 1, 3)[blind], 1 / 7, atol=1e-6)


def test_arguments_go_on_to_the_layer():
    layer = migrate.multi_head_attention(CASES["no_bias"]["weights"], dropout=0.3, name="old")
    assert (layer.dropout, layer.name, layer.use_bias) == (0.3, "old", False)


def test_a_missing_weight_is_named():
    weights = {name: w for name, w in CASES["plain"]["weights"].items() if "key_kernel" not in name}
    with pytest.raises(ValueError, match="must have a `key_kernel`. Received: .*query_kernel .4, 6, 3."):
        migrate.multi_head_attention(weights)


def test_a_list_of_weights_is_refused():
    with pytest.raises(ValueError, match="mapping of names to arrays.*Received: weights of type list"):
        migrate.multi_head_attention(list(CASES["plain"]["weights"].values()))
