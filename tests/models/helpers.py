"""Shared helpers: a small Transformer with noise in all weights, and its weights for the NumPy reference."""

import contextlib
import functools

import keras
import numpy as np
from keras import ops

from keras_attention.models import transformer
from tests.backend import BACKEND

# No two sizes are equal.
SIZES = {
    "vocabulary_size": 23,
    "num_layers": 2,
    "model_dim": 12,
    "num_heads": 3,
    "intermediate_dim": 20,
    "key_dim": 5,
    "value_dim": 7,
}
SOURCE = np.array([[3, 4, 5, 6, 0, 0], [7, 8, 9, 1, 2, 3]], "int32")
TARGET = np.array([[1, 4, 9, 16, 2, 11, 22], [1, 5, 8, 13, 21, 2, 0]], "int32")
INPUTS = {"source": SOURCE, "target": TARGET}


def numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


@contextlib.contextmanager
def without_memory():
    """Context in which models are built with shapes and parameter counts, but without values.

    Keras initializes all variables built here when the next stateless scope ends: gigabytes, in another test. Clearing
    the session prevents that.
    """
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session(free_memory=False)


def compiled(function, xla=False):
    """Compiles `function`; returns it unchanged on PyTorch, where Keras layers may not support `torch.compile`."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=xla, autograph=False)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return function


def noisy(model, seed=0):
    """Random values for all weights: initial biases of 0 and gammas of 1 would hide errors.

    Gammas stay near 1: small ones would suppress the input and hide errors too.
    """
    rng = np.random.default_rng(seed)
    for w in model.weights:
        w.assign(w.path.endswith("gamma") + 0.4 * rng.standard_normal(w.shape))
    return model


def small(**kwargs):
    return noisy(transformer(**{**SIZES, **kwargs}))


@functools.cache
def same(**kwargs):
    """Cached `small`, for tests that do not modify the model."""
    return small(**kwargs)


def attention_weights(layer):
    """Weights by the names of Keras's `MultiHeadAttention`."""
    weights = {}
    for w in layer.weights:
        projection, kind = w.path.split("/")[-2:]
        name = {"attention_output": "output"}.get(projection, projection)
        weights[name if kind == "kernel" else f"{name}_bias"] = numpy(w).astype("float64")
    return weights


def block_weights(block):
    weights = {"self": attention_weights(block.self_attention), "self_norm": norm_weights(block.self_attention_norm)}
    if hasattr(block, "memory_attention"):
        weights["memory"] = attention_weights(block.memory_attention)
        weights["memory_norm"] = norm_weights(block.memory_attention_norm)
    ffn = [numpy(w).astype("float64") for w in block.feed_forward.weights]
    return {
        **weights,
        "ffn": dict(zip(("W1", "b1", "W2", "b2"), ffn, strict=True)),
        "ffn_norm": norm_weights(block.feed_forward_norm),
    }


def norm_weights(norm):
    return None if norm is None else (numpy(norm.gamma).astype("float64"), numpy(norm.beta).astype("float64"))


def weights_of(model):
    """All weights in the format of tests/reference/transformer.py."""
    tables = (model.encoder.embedding, model.decoder.embedding, model.scorer)
    names = ("source_embedding", "target_embedding", "logits")
    return {
        **{name: numpy(table.embeddings).astype("float64") for name, table in zip(names, tables)},
        **{stack: [block_weights(b) for b in getattr(model, stack).blocks] for stack in ("encoder", "decoder")},
        **{f"{stack}_norm": norm_weights(getattr(model, stack).norm) for stack in ("encoder", "decoder")},
    }
