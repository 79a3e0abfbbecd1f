"""Helpers of the tests of recurrent attention: a query, a memory, and the steps of a layer."""

import keras
import numpy as np

from tests.layers.helpers import numpy, random

# B=2, T=5, S=7; queries of size 4, values of 6, keys of 3.
QUERY, VALUE, KEY = random(2, 5, 4), random(2, 7, 6, seed=1), random(2, 7, 3, seed=2)
LENGTHS = np.array([7, 4])
MASK = np.arange(7) < LENGTHS[:, None]


def fill(layer, query=QUERY, value=VALUE, key=KEY, seed=9):
    """Builds the layer and sets random weights; returns them as float64 by their paths inside the layer."""
    layer.build(query.shape, value.shape, None if key is None else key.shape)
    weights = {}
    for i, w in enumerate(layer.weights):
        if "seed" in w.path:
            continue
        noise = random(*w.shape, seed=seed + i)
        w.assign(noise)
        weights[w.path.removeprefix(f"{layer.name}/")] = np.asarray(noise, "f8")
    return weights


def steps(layer, query=QUERY, value=VALUE, key=KEY, training=None, **memory):
    """Contexts [B, T, Dv] and scores [B, T, S] of one `layer.step` for each query."""
    memory = layer.project_memory(value, key, **memory)
    state, contexts, scores = layer.start(memory), [], []
    for t in range(query.shape[1]):
        context, score, state = layer.step(query[:, t], memory, state, training=training)
        assert all(leaf.shape[0] == len(query) for leaf in keras.tree.flatten(state))
        contexts.append(numpy(context))
        scores.append(numpy(score))
    return np.stack(contexts, 1), np.stack(scores, 1)


def check_steps(layer, **call):
    """Asserts that a call equals its steps, with `lengths` as with `mask`."""
    context, scores = (numpy(x) for x in layer(QUERY, VALUE, KEY, return_attention_scores=True, **call))
    np.testing.assert_allclose(numpy(layer(QUERY, VALUE, KEY, **call)), context, atol=1e-5)
    for memory in ({"mask": MASK}, {"lengths": LENGTHS}) if call else ({},):
        got = steps(layer, **memory)
        np.testing.assert_allclose(got[0], context, atol=1e-5)
        np.testing.assert_allclose(got[1], scores, atol=1e-5)
