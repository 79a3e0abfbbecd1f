"""Recurrent attention layers with converted weights match the stored outputs of tensorflow-addons."""

import functools

import numpy as np
import pytest

from keras_attention import migrate
from tests import goldens
from tests.layers.helpers import numpy

CASES = goldens.cases("attentions")
INPUTS = CASES.pop("inputs")
ATOL = 1e-5
MAKE = {
    "bahdanau": migrate.bahdanau_attention,
    "bahdanau_normalized": migrate.bahdanau_attention,
    "luong": migrate.luong_attention,
    "luong_scaled": migrate.luong_attention,
}
for mode in ("recursive", "parallel", "hard"):
    for more in ("", "_normalized"):
        make = functools.partial(migrate.bahdanau_monotonic_attention, mode=mode)
        MAKE[f"bahdanau_monotonic_{mode}{more}"] = make
    for more in ("", "_scaled"):
        make = functools.partial(migrate.luong_monotonic_attention, mode=mode)
        MAKE[f"luong_monotonic_{mode}{more}"] = make
SEEN = {"all": {}, "lengths": {"lengths": INPUTS["lengths"]}, "mask": {"mask": INPUTS["mask"]}}


def stepwise(layer, **seen):
    """Contexts [B, T, Dv] and scores [B, T, S] of the queries, step by step."""
    memory = layer.project_memory(INPUTS["memory"], **seen)
    state, contexts, scores = layer.start(memory), [], []
    for t in range(INPUTS["query"].shape[1]):
        context, probs, state = layer.step(INPUTS["query"][:, t], memory, state)
        contexts.append(numpy(context))
        scores.append(numpy(probs))
    return np.stack(contexts, axis=1), np.stack(scores, axis=1)


# A scale of the logits does not interact with masks.
SCALED = [name for name in MAKE if name.endswith(("_normalized", "_scaled"))]
PLAIN = [name for name in MAKE if name not in SCALED]


@pytest.mark.parametrize(
    ("name", "how"),
    [*[(name, how) for name in PLAIN for how in ("mask", "lengths")], *[(name, "all") for name in SCALED]],
)
def test_matches_tensorflow_addons(name, how):
    case = CASES[name]
    layer = MAKE[name](case["weights"])
    context, scores = stepwise(layer, **SEEN[how])
    np.testing.assert_allclose(scores, case[f"scores/{how}"], atol=ATOL)
    np.testing.assert_allclose(context, case[f"context/{how}"], atol=ATOL)
    mask = {"all": None, "mask": INPUTS["mask"], "lengths": np.arange(7) < INPUTS["lengths"][:, None]}[how]
    at_once = layer(INPUTS["query"], INPUTS["memory"], value_mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(numpy(at_once[1]), case[f"scores/{how}"], atol=ATOL)
    np.testing.assert_allclose(numpy(at_once[0]), case[f"context/{how}"], atol=ATOL)


@pytest.mark.parametrize("name", PLAIN)
def test_fully_masked_queries_have_zero_scores_and_the_same_context(name):
    case = CASES[name]
    context, scores = stepwise(MAKE[name](case["weights"]), mask=INPUTS["nothing"])
    np.testing.assert_allclose(context, case["context/nothing"], atol=ATOL)
    np.testing.assert_allclose(scores[0], case["scores/nothing"][0], atol=ATOL)
    assert not scores[1].any()
    theirs = 0 if "monotonic" in name else 1 / 7
    np.testing.assert_allclose(case["scores/nothing"][1], theirs, atol=1e-6)


def test_every_stored_attention_is_compared():
    assert set(CASES) - set(MAKE) == {"bahdanau_hardmax"}, "which is not supported, as the page says"


def test_missing_weight_raises_an_error():
    weights = {name: w for name, w in CASES["bahdanau"]["weights"].items() if "memory_layer" not in name}
    with pytest.raises(ValueError, match="must have a `memory_layer/kernel`"):
        migrate.bahdanau_attention(weights)
    with pytest.raises(ValueError, match="must have a `kernel` beside `attention_v`"):
        migrate.bahdanau_attention({"attention_v": np.ones(4), "memory_layer/kernel": np.ones((9, 4))})


def test_checkpoint_names_are_accepted():
    case = CASES["bahdanau"]
    renamed = {}
    for name, w in case["weights"].items():
        name = name.replace("BahdanauAttention/kernel", "BahdanauAttention/query_layer/kernel").partition(":")[0]
        renamed[f"model/{name}/.ATTRIBUTES/VARIABLE_VALUE"] = w
    expected = stepwise(migrate.bahdanau_attention(case["weights"]))[0]
    np.testing.assert_array_equal(stepwise(migrate.bahdanau_attention(renamed))[0], expected)
