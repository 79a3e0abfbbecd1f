"""The formula of activations in `docs/many_devices.md`; `tests/test_docs.py` runs the page, with that of parameters."""

import math
import pathlib
import re

import numpy as np
import pytest

from keras_attention import layers
from keras_attention.ops.paths import plan
from tests.backend import BACKEND

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "many_devices.md"


@pytest.mark.skipif(BACKEND != "jax", reason="counts what JAX keeps for the backward pass")
@pytest.mark.parametrize("kind", [layers.TransformerEncoderBlock, layers.TransformerDecoderBlock])
def test_activations(kind, monkeypatch):
    import jax

    monkeypatch.setenv(plan.SETTING, "gpu")
    functions = {}
    exec(re.search(r"def activations.*?\n\n\n", PAGE.read_text(), re.S)[0], functions)
    B, T, D, F, N = 2, 6, 16, 40, 2
    block = kind(N, F, dropout=0.0)
    inputs = [np.ones((B, T, D), "float32")] * (1 if kind is layers.TransformerEncoderBlock else 2)
    block.build(*[x.shape for x in inputs])
    weights, others = ([v.value for v in vs] for vs in (block.trainable_variables, block.non_trainable_variables))

    def kept(weights, *inputs):
        def forward(weights, *inputs):
            return block.stateless_call(weights, others, *inputs, training=True)[0]

        return jax.vjp(forward, weights, *inputs)[1]

    tensors = [x for x in jax.tree.leaves(jax.eval_shape(kept, weights, *inputs)) if x.shape[:1] == (B,)]
    # Output projections [N, V, D] begin with 2 as well.
    numbers = sum(math.prod(x.shape) * x.dtype.itemsize / 4 for x in tensors if x.shape != (N, D // N, D))
    expected = functions["activations"](1, D, F, N, T)[len(inputs) - 1]
    assert numbers == B * T * expected
