"""Random calls of `ops.attend`, eager and compiled, against loops from the paper: values, scores and gradients."""

import numpy as np

from keras_attention import ops
from tests.backend import BACKEND
from tests.ops.random_attend import random_call
from tests.random_runs import XLA, any_way, check_all, run
from tests.reference.attend import attend, gradients

HEADS = {
    "query": (2, 3),
    "key": (2, 3),
    "value": (2, 3),
    "sinks": (0,),
}  # sizes that are known even in graphs of unknown sizes


def check(rng):
    arrays, options = random_call(rng)
    way = any_way(rng)
    if BACKEND == "tensorflow" and way == XLA and options["block_size"] is None:
        options["block_size"] = 0  # XLA has no gradient of a choice at run time
    known = dict(options)
    scores = known.pop("return_scores", False)
    del known["block_size"], known["device"]
    expected, probs = attend(**arrays, **known)
    cotangent = rng.standard_normal(expected.shape)
    trained = [name for name in ("query", "key", "value", "bias", "sinks") if name in arrays]
    results, actual = run(lambda **tensors: ops.attend(**tensors, **options), arrays, trained, cotangent, way, HEADS)
    tolerance = 1e-10 if arrays["query"].dtype == "float64" else 1e-5
    for one, other in zip(results, [expected, probs][: 1 + scores], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=2 * tolerance)
    given = {name: arrays.get(name) for name in ("query", "key", "value", "bias")}
    given |= {name: options[name] for name in ("scale", "logit_cap")}
    wanted = gradients(**given, probs=probs, cotangent=cotangent)
    for name in trained:
        np.testing.assert_allclose(
            actual[name], wanted[name], rtol=10 * tolerance, atol=20 * tolerance, err_msg=f"gradient of {name}"
        )


def test_random_calls_match_the_paper():
    check_all(check, 5 if BACKEND != "torch" else 60)
