"""Second derivatives through custom gradients match those of plain operations."""

import numpy as np
import pytest
from keras import ops as k

from keras_attention import ops
from keras_attention.ops import block_local
from keras_attention.ops.block_local.masks import Blocks
from tests.backend import BACKEND, numpy, torch_tensor
from tests.reference.local_attention import mask_1d

B, T, S, U, V = 2, 5, 7, 3, 4
RNG = np.random.default_rng(0)
ARRAYS = [RNG.standard_normal(shape).astype("float32") for shape in ((B, T, U), (B, S, U), (B, S, V))]
VECTOR = RNG.standard_normal(U).astype("float32")
CENTER = (RNG.random((B, T)) * S).astype("float32")
MASK = RNG.random((B, T, S)) < 0.8
COTANGENT, DIRECTION = RNG.standard_normal((B, T, V)), [RNG.standard_normal(x.shape) for x in ARRAYS]


def plain(logits, value, visible):
    weights = k.exp(logits) * k.cast(visible, logits.dtype)
    return k.matmul(weights / k.maximum(k.sum(weights, axis=-1, keepdims=True), 1e-20), value)


def plain_additive(query, key, value):
    hidden = k.tanh(query[:, :, None] + key[:, None])
    return plain(k.sum(hidden * k.convert_to_tensor(VECTOR), axis=-1), value, MASK)


def plain_local(query, key, value):
    distance = np.arange(S) - CENTER[..., None]
    bell = np.where(np.abs(distance) <= 2.2, np.exp(-(distance**2) / (2 * 1.1**2)), 0.0)
    logits = k.matmul(query, k.transpose(key, (0, 2, 1)))
    near = np.abs(distance) <= 2.2
    weights = k.exp(logits) * k.cast(near, logits.dtype)
    weights = weights / k.maximum(k.sum(weights, axis=-1, keepdims=True), 1e-20)
    return k.matmul(weights * k.cast(bell, logits.dtype), value)


def plain_blocks(query, key, value):
    """Queries and keys are the first T positions of the same sequence."""
    logits = k.matmul(query, k.transpose(key[:, :T], (0, 2, 1))) * U**-0.5
    return plain(logits, value[:, :T], mask_1d(T, 2, 1, causal=True)[None])


def blocks(query, key, value):
    images = (x[:, :T, None, None] for x in (query, key, value))
    return block_local.attend(*images, Blocks.of_sequence(2, 1, True, 1))[:, :, 0, 0]


def plain_attend(visible=None, bias=0.0):
    def run(query, key, value):
        logits = k.matmul(query, k.transpose(key, (0, 2, 1))) * U**-0.5 + k.convert_to_tensor(bias, "float32")
        return plain(logits, value, np.ones((T, S), bool) if visible is None else visible)

    return run


def attend(**given):
    """One head."""
    return lambda *x: ops.attend(*(y[:, :, None] for y in x), **given)[:, :, 0]


CAUSAL, BIAS = np.tril(np.ones((T, S), bool)), RNG.standard_normal((1, 1, T, S)).astype("float32")
CASES = {
    # What `attend` takes by itself is a fused kernel on some backends, of which no gradient can be differentiated.
    "attend": (attend(), plain_attend()),
    "attend-causal": (attend(causal=True), plain_attend(CAUSAL)),
    "attend-mask": (attend(mask=MASK), plain_attend(MASK)),
    "attend-bias": (attend(bias=BIAS), plain_attend(bias=BIAS[:, 0])),
    "attend-tiles": (attend(mask=MASK, block_size=2), plain_attend(MASK)),
    "additive": (lambda *x: ops.additive_attend(*x, VECTOR, mask=MASK, block_size=0), plain_additive),
    "additive-tiles": (lambda *x: ops.additive_attend(*x, VECTOR, mask=MASK, block_size=2), plain_additive),
    "local-tiles": (lambda *x: ops.windowed_attend(*x, CENTER, 2.2, block_size=2), plain_local),
    "blocks": (blocks, plain_blocks),
}


def along(function):
    """The gradient of <DIRECTION, gradient of <COTANGENT, function>>: of each argument."""
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND](function)


def _tensorflow(function):
    import tensorflow as tf

    tensors = [tf.constant(x) for x in ARRAYS]
    with tf.GradientTape() as outer:
        outer.watch(tensors)
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(function(*tensors) * tf.constant(COTANGENT, "float32"))
        gradients = tape.gradient(total, tensors)
        moved = sum(tf.reduce_sum(g * tf.constant(d, "float32")) for g, d in zip(gradients, DIRECTION))
    return outer.gradient(moved, tensors)


def _jax(function):
    import jax

    def first(*tensors):
        return jax.numpy.sum(function(*tensors) * COTANGENT)

    def moved(*tensors):
        return sum(jax.numpy.sum(g * d) for g, d in zip(jax.grad(first, (0, 1, 2))(*tensors), DIRECTION))

    return jax.jit(jax.grad(moved, (0, 1, 2)))(*ARRAYS)


def _torch(function):
    import torch

    tensors = [torch_tensor(x, trained=True) for x in ARRAYS]
    total = (function(*tensors) * torch_tensor(COTANGENT)).sum()
    gradients = torch.autograd.grad(total, tensors, create_graph=True)
    moved = sum((g * torch_tensor(d)).sum() for g, d in zip(gradients, DIRECTION))
    return [x.detach() for x in torch.autograd.grad(moved, tensors)]


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_match_plain_operations(case):
    ours, theirs = (along(function) for function in CASES[case])
    for one, other in zip(ours, theirs, strict=True):
        assert np.abs(numpy(other)).max() > 0.01, "the second derivative is not zero"
        np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-3, atol=1e-4)
