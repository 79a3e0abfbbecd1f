"""The scan over time: states, outputs and gradients, in both directions, with a mask, on every path."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.recurrence import recur
from tests.backend import COMPILED, numpy, value_and_gradients

MASK = np.array([[True, True, False, True, False], [False, True, True, True, True]])


def oracle(x, weight, mask, reverse):
    """h <- tanh(h W + x), where not masked; outputs 2 h and the mean of h."""
    outputs, h = np.zeros(x.shape), np.zeros((x.shape[0], x.shape[2]))
    means = np.zeros(x.shape[:2])
    for b in range(x.shape[0]):
        for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
            if mask[b, t]:
                h[b] = np.tanh(h[b] @ weight + x[b, t])
                outputs[b, t], means[b, t] = 2 * h[b], h[b].mean()
    return outputs, means, h


def run(x, weight, mask=None, reverse=False):
    def step(state, x):
        h = ops.tanh(ops.matmul(state["h"], weight) + x["x"])
        return (2 * h, ops.mean(h, axis=-1)), {"h": h, "nothing": (), "count": state["count"] + 1}

    h = ops.zeros_like(ops.sum(x, axis=1))
    state = {"h": h, "nothing": (), "count": ops.zeros_like(h[:, 0], dtype="int32")}
    (outputs, means), state = recur(step, state, (h, h[:, 0]), {"x": x}, mask, reverse)
    return outputs, means, state


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_matches_the_loop(masked, reverse):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 5, 3)), rng.standard_normal((3, 3))
    mask = MASK if masked else np.ones((2, 5), bool)
    given = ops.convert_to_tensor(mask) if masked else None
    outputs, means, state = run(*(ops.convert_to_tensor(a, "float32") for a in (x, weight)), given, reverse)
    for a, b in zip((outputs, means, state["h"]), oracle(x, weight, mask, reverse), strict=True):
        np.testing.assert_allclose(numpy(a), b, atol=1e-5)
    assert numpy(state["count"]).tolist() == mask.sum(1).tolist()
    assert state["nothing"] == ()


@pytest.mark.parametrize("how", COMPILED)
def test_gradients_match_finite_differences(how):
    rng = np.random.default_rng(1)
    x, weight, cotangent = (rng.standard_normal(shape) for shape in ((2, 5, 3), (3, 3), (2, 5, 3)))

    def function(x, weight):
        return run(x, weight, ops.convert_to_tensor(MASK), reverse=True)[0]

    if how == "dynamic":
        pytest.skip("the weight has no batch")
    value, gradients = value_and_gradients(function, [x, weight], cotangent, how)
    np.testing.assert_allclose(value, oracle(x, weight, MASK, True)[0], atol=1e-5)
    for i, array in enumerate((x, weight)):
        for at in [(0, 0, 1), (1, 3, 2)] if i == 0 else [(0, 2), (1, 1)]:
            step = np.zeros_like(array)
            step[at] = 1e-5
            moved = [[array + s * step if j == i else a for j, a in enumerate((x, weight))] for s in (1, -1)]
            up, down = (np.sum(oracle(*arrays, MASK, True)[0] * cotangent) for arrays in moved)
            np.testing.assert_allclose(gradients[i][at], (up - down) / 2e-5, rtol=1e-3, atol=1e-4)
    assert np.abs(gradients[0][~MASK]).max() == 0


@pytest.mark.skipif("dynamic" not in COMPILED, reason="elsewhere the number of steps is known")
@pytest.mark.parametrize("compiled", [False, True])
def test_unknown_number_of_steps(compiled):
    import tensorflow as tf

    weight = tf.eye(3)

    def function(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs, _, state = run(x, weight)
            total = tf.reduce_sum(outputs) + tf.reduce_sum(state["h"])
        return outputs, state["h"], tape.gradient(total, x)

    function = tf.function(function, [tf.TensorSpec((None, None, 3))], jit_compile=compiled, autograph=False)
    for length in (0, 1, 4):
        x = np.random.default_rng(2).standard_normal((2, length, 3)).astype("float32")
        outputs, state, gradient = function(tf.constant(x))
        expected = oracle(x, np.eye(3), np.ones((2, length), bool), reverse=False)
        np.testing.assert_allclose(outputs, expected[0], atol=1e-5)
        np.testing.assert_allclose(state, expected[2], atol=1e-5)
        assert gradient.shape == x.shape and np.all(np.abs(gradient) > 0)


def test_no_steps():
    x = ops.zeros((2, 0, 3))
    outputs, state = recur(lambda h, x: (h, h + x), ops.ones((2, 3)), ops.zeros((2, 3)), x)
    assert tuple(outputs.shape) == (2, 0, 3)
    np.testing.assert_array_equal(numpy(state), np.ones((2, 3)))
