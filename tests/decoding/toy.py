"""A model given by a table of logits, whose only state is the cache; runs it eagerly, in a graph or compiled."""

import keras
import numpy as np
from keras import ops

from tests.reference import decoding as reference

PATHS = {"tensorflow": ["eager", "graph", "xla"], "jax": ["eager", "jit"], "torch": ["eager"]}[keras.backend.backend()]


def tables(B, V, L, seed=0, scale=2.0):
    """A different model for every row: [B, nodes, V]."""
    shape = (B, reference.number_of_nodes(V, L), V)
    return np.random.default_rng(seed).normal(0, scale, shape).astype("float32")


def new_cache(table, L):
    table = ops.convert_to_tensor(table)
    first = ops.cast(table[:, 0, 0] * 0, "int32")
    return {"table": table, "prefix": first[:, None] + ops.full((1, L), -1, dtype="int32")}


def step(tokens, cache, index):
    """Writes the last token into the prefix, walks the prefix from the root, and looks up the logits."""
    table, prefix = cache["table"], cache["prefix"]
    L, V = prefix.shape[1], table.shape[2]
    prefix = ops.where(ops.arange(L)[None] == index - 1, tokens[:, None], prefix)
    node = ops.zeros_like(tokens)
    for i in range(L):
        node = ops.where(i < index, node * V + prefix[:, i] + 1, node)
    logits = ops.take_along_axis(table, node[:, None, None], axis=1)[:, 0]
    return logits, {"table": table, "prefix": prefix}


def start_tokens(table):
    return np.zeros(len(table), "int32")


def run(path, function, *arrays):
    """`function` of tensors on one of the PATHS, as NumPy arrays."""
    if path in ("graph", "xla"):
        import tensorflow as tf

        # Only the batch size is unknown.
        signature = [tf.TensorSpec((None, *a.shape[1:]), a.dtype) for a in arrays]
        function = tf.function(function, input_signature=signature, jit_compile=path == "xla", autograph=False)
    elif path == "jit":
        import jax

        function = jax.jit(function)
    outputs = function(*(ops.convert_to_tensor(a) for a in arrays))
    return keras.tree.map_structure(ops.convert_to_numpy, outputs)


def padded(sequence, L, pad=0):
    return [*sequence, *[pad] * (L - len(sequence))]


def counting(calls):
    """A step, for eager runs, that records its calls; its cache [B] holds the length at which a row ends (token 1)."""

    def step(tokens, cache, index):
        calls.append(int(index))
        logits = ops.where((index + 1 >= ops.cast(cache, index.dtype))[:, None], [[0.0, 9.0, 0.0]], [[0.0, 0.0, 9.0]])
        return logits, cache

    return step
