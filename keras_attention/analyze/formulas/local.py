"""Attention of blocks of positions to the blocks around them."""

import math

import keras

from keras_attention import layers
from keras_attention.analyze.calls import itemsize
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.registry import inside, register
from keras_attention.ops.block_local.grid import Grid


@register(layers.LocalAttention1D, layers.LocalAttention2D)
def local_attention(call):
    """The projections, and H + 1 + V for each logit: small blocks are put together to tiles, and one feature hides.

    Ideally N * (H + V) for each of the T queries and of the keys that its block sees.
    """
    layer, (B, *positions, _) = call.layer, call.shape("inputs")
    rank, N, dtype = len(positions), layer.num_heads, layer.compute_dtype
    blocks, memory, dilation = (_sizes(x, rank) for x in (layer.query_block, layer.memory_block, layer.dilation))
    apart = any(d > 1 for d in dilation)
    steps = math.inf if apart else path(positions, blocks, memory)
    rows, columns = positions if rank == 2 else (*positions, 1)
    query = keras.KerasTensor((B, rows, columns, N, layer.key_dim), dtype)
    logits = Grid.of(query, layer._blocks).logits
    context = math.prod((B, *positions, N, layer.value_dim)) * itemsize(dtype)
    return inside(call) + Cost(logits * (layer.key_dim + 1 + layer.value_dim), 0, 1, steps, context)


def _sizes(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def path(positions, blocks, memory):
    """The longest path along any axis; of blocks that look ahead, too, the way back is never longer."""
    return max(_steps(n, q, m) for n, q, m in zip(positions, blocks, memory, strict=True))


def _steps(n, block, memory):
    """Layers from position 0 to n - 1: a signal enters the farthest block that looks back to it."""
    at, steps = 0, 0
    while at < n - 1 or not steps:
        farthest = (at + memory) // block * block + block - 1
        if farthest <= at and at < n - 1:
            return math.inf
        at, steps = farthest, steps + 1
    return steps
