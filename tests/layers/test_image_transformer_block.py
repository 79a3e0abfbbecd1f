"""ImageTransformerBlock against loops from the paper: equations, dropout, cache, errors."""

import numpy as np
import pytest

from keras_attention import layers
from tests.backend import BACKEND
from tests.layers.helpers import noisy, numpy, random
from tests.models.image_helpers import block_weights
from tests.reference import generation
from tests.reference import image_transformer as reference

BLOCKS = {"1d": (6, 4), "2d": ((2, 3), (1, 2))}


def make(query_block, memory_block, *inputs, **arguments):
    sizes = {"num_heads": 3, "intermediate_dim": 9, "key_dim": 5, "value_dim": 4, "dropout": 0.0}
    block = layers.ImageTransformerBlock(query_block=query_block, memory_block=memory_block, **{**sizes, **arguments})
    return noisy(block, *inputs)


@pytest.mark.parametrize(
    ("blocks", "with_memory", "norm_first"),
    [("1d", False, False), ("1d", True, True), ("2d", False, True), ("2d", True, False)],
)
def test_is_equations_1_and_2(blocks, with_memory, norm_first):
    query_block, memory_block = BLOCKS[blocks]
    inputs = [random(2, 3, 5, 12), random(2, 6, 10, seed=1)][: 1 + with_memory]
    block = make(query_block, memory_block, *inputs, norm_first=norm_first)
    ours, weights = numpy(block(*inputs)), block_weights(block)
    order = generation.positions(3, 5, query_block if isinstance(query_block, tuple) else None)
    sees = reference.mask((3, 5), query_block, memory_block)
    for b in range(2):
        x = np.array([inputs[0][b][at] for at in order])
        x = reference.decoder_block(x, weights, sees, inputs[1][b] if with_memory else None, norm_first)
        np.testing.assert_allclose([ours[b][at] for at in order], x, atol=1e-4, rtol=1e-4)


def test_without_causality_later_positions_are_visible():
    x = random(2, 3, 5, 12)
    block = make(6, 4, x, causal=False)
    changed = x.copy()
    changed[:, 2, 4] += 1
    assert np.abs(numpy(block(changed)) - numpy(block(x)))[:, 1, 3:].max() > 1e-4
    assert np.abs(numpy(block(changed)) - numpy(block(x)))[:, 0, :1].max() < 1e-6


def test_dropout_of_the_residual_branches_and_of_the_scores():
    x = random(2, 3, 5, 12)
    plain = numpy(make(6, 4, x)(x))
    for arguments in ({"dropout": 0.5}, {"attention_dropout": 0.5}):
        block = make(6, 4, x, **arguments, seed=3)
        np.testing.assert_allclose(numpy(block(x)), plain, atol=1e-5)
        first, second = (numpy(block(x, training=True)) for _ in range(2))
        assert np.abs(first - plain).max() > 1e-2 and np.abs(first - second).max() > 1e-2


@pytest.mark.parametrize(("blocks", "with_memory"), [("1d", True), ("2d", False)])
def test_decoding_with_a_cache_equals_the_full_forward(blocks, with_memory):
    query_block, memory_block = BLOCKS[blocks]
    inputs = [random(2, 3, 5, 12), random(2, 6, 10, seed=1)][: 1 + with_memory]
    block = make(query_block, memory_block, *inputs)
    full, cache = numpy(block(*inputs)), block.make_cache(2, 3, 5, *inputs[1:])
    for p, at in enumerate(generation.positions(3, 5, query_block if isinstance(query_block, tuple) else None)):
        y, cache = block(inputs[0][:, *at][:, None], cache=cache, cache_index=p)
        np.testing.assert_allclose(numpy(y)[:, 0], full[:, *at], atol=1e-5, rtol=1e-4)


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX reports the cost of a compiled function")
@pytest.mark.parametrize(("query_block", "memory_block"), BLOCKS.values(), ids=BLOCKS)
def test_the_cost_of_a_step_does_not_depend_on_the_size_of_the_image(query_block, memory_block):
    """FLOPs as counted by XLA, for one image and for one with four times the pixels."""
    import jax

    block, costs = make(query_block, memory_block, random(2, 3, 5, 12)), []
    for size in ((8, 8), (16, 16)):
        step = jax.jit(lambda x, cache, index: block(x, cache=cache, cache_index=index))
        lowered = step.lower(random(2, 1, 12), block.make_cache(2, *size), np.int32(5))
        costs.append(lowered.compile().cost_analysis()["flops"])
    assert costs[1] < 1.1 * costs[0], costs


def test_bad_arguments_and_inputs():
    x, memory = random(2, 3, 5, 12), random(2, 6, 10)
    with pytest.raises(ValueError, match="two ints or two pairs"):
        layers.ImageTransformerBlock(2, 9, query_block=(2, 2), memory_block=1)
    with pytest.raises(ValueError, match=r"\[B, Y, X, D\]"):
        layers.ImageTransformerBlock(2, 9, 4, 4)(random(2, 5, 12))
    with pytest.raises(ValueError, match="divisible by `num_heads`"):
        layers.ImageTransformerBlock(5, 9, 4, 4)(x)
    for first, then, said in (((x, memory), (x,), "not given"), ((x,), (x, memory), "memory given")):
        block = make(6, 4, *first)
        with pytest.raises(ValueError, match=said):
            block(*then)
    with pytest.raises(ValueError, match="built=False"):
        layers.ImageTransformerBlock(2, 9, 4, 4).make_cache(2, 3, 5)
