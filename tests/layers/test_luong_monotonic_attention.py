"""LuongMonotonicAttention against an enumeration of all alignments, and its own steps."""

import numpy as np
import pytest

from keras_attention.layers import LuongMonotonicAttention
from tests.layers.helpers import numpy, random
from tests.layers.memory import KEY, MASK, QUERY, VALUE, check_steps, fill, steps
from tests.reference import memory_attention as reference


@pytest.mark.parametrize(
    ("mode", "scale"), [("recursive", False), ("recursive", True), ("parallel", False), ("hard", True)]
)
def test_is_the_equation_and_steps_equal_the_call(mode, scale):
    layer = LuongMonotonicAttention(mode=mode, scale=scale)
    weights = fill(layer)
    choose = reference.multiplicative(QUERY, KEY @ weights["key/kernel"]) * weights.get("scale", 1.0)
    choose = choose + weights["energy_bias"]
    choose = (choose > 0) * 1.0 if mode == "hard" else reference.sigmoid(choose)
    probs = np.stack([reference.monotonic(c * m) for c, m in zip(choose, MASK, strict=True)])
    context, scores = layer(QUERY, VALUE, KEY, value_mask=MASK, return_attention_scores=True)
    np.testing.assert_allclose(numpy(scores), probs, atol=1e-5)
    np.testing.assert_allclose(numpy(context), reference.context(probs, VALUE), atol=1e-5)
    check_steps(layer, value_mask=MASK)


def test_dot_equals_general_with_an_identity_kernel():
    value = random(2, 7, 4, seed=3)
    dot, general = LuongMonotonicAttention("dot"), LuongMonotonicAttention()
    for layer in (dot, general):
        layer.build(QUERY.shape, value.shape)
        layer.energy_bias.assign(0.3)
    general.key_dense.kernel.assign(np.eye(4))
    np.testing.assert_allclose(numpy(dot(QUERY, value)), numpy(general(QUERY, value)), atol=1e-6)


def test_steps_and_call_have_the_same_noise():
    call, step = (LuongMonotonicAttention(sigmoid_noise=0.5, seed=4) for _ in range(2))
    fill(call)
    fill(step)
    expected = numpy(call(QUERY, VALUE, KEY, training=True))
    np.testing.assert_allclose(steps(step, training=True)[0], expected, atol=1e-5)


def test_every_query_has_its_own_noise():
    layer = LuongMonotonicAttention(sigmoid_noise=0.5, seed=4)
    fill(layer)
    memory = layer.project_memory(VALUE, KEY)
    start = layer.start(memory)
    _, first, state = layer.step(QUERY[:, 0], memory, start, training=True)
    _, second, _ = layer.step(QUERY[:, 0], memory, {**start, "index": state["index"]}, training=True)
    assert np.abs(numpy(first) - numpy(second)).max() > 1e-3


def test_bad_arguments_by_name():
    with pytest.raises(ValueError, match="`score`"):
        LuongMonotonicAttention("concat")
    with pytest.raises(ValueError, match='score="dot"'):
        LuongMonotonicAttention("dot")(QUERY, VALUE)
    with pytest.raises(ValueError, match="not yet set up"):
        LuongMonotonicAttention().start({})
