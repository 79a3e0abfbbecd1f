"""The backend's fused attention kernel, where it supports all arguments of the call with the same result.

    PyTorch     `scaled_dot_product_attention`, with any mask; on CPUs, where no gradient is recorded, with a bias
    JAX         cuDNN's on GPUs: half precision, plain or causal; bfloat16 with any mask
    TensorFlow  none

A kernel takes one mask, which is made only within the budget of the plan, or where the caller gave one as large. Not
with dropout: a kernel draws its own random numbers, and the same seed must drop the same entries on every path. Not on
TPUs: Keras's kernel there takes its mask as a constant, without one it is causal, and under `jit` it holds all logits.
"""

import functools
import math

import keras
import numpy as np
from keras import ops

from keras_attention.ops.masks import visible_pairs
from keras_attention.ops.paths.dense import added_to_logits
from keras_attention.ops.paths.loop import widen
from keras_attention.ops.paths.plan import default_device, is_mask_small
from keras_attention.ops.paths.vjp import differentiable_twice
from keras_attention.ops.precision import itemsize
from keras_attention.ops.shapes.sizes import known


def fused(
    query, key, value, ordinary, device, *, scale, causal, query_offset, dropout, seed, logit_cap, sinks, **masks
):
    """Context [B, T, N, V] from the backend's kernel, or `None` where no kernel supports these arguments.

    Rows of which a mask or a bias hides all keys are zero; others that see no key are zeroed by the caller.

    Args:
        query, key, value: As for `attend`.
        ordinary: A function of query, key and value that returns the same context, for second derivatives.
        device: "cpu", "gpu" or "tpu": whose plan limits the size of a mask.
        scale, causal, query_offset, dropout, seed, logit_cap, sinks: As for `attend`; no kernel has the last two.
        **masks: mask, key_mask, window and bias, as for `attend` but of four axes or by distance.
    """
    plain = not causal or (isinstance(query_offset, int) and query_offset == 0)
    plain = plain and all(x is None for x in masks.values())
    other = dropout or logit_cap is not None or sinks is not None
    kernel = None if other else _kernel(query, key, value, causal, plain, masks["bias"])
    if kernel is None or not (plain or _fits(query, key, causal, device, **masks)):
        return None
    if plain:
        return differentiable_twice(lambda *x: kernel(*x, scale, None, causal), ordinary)(query, key, value)
    mask, alive = _one_mask(query.shape[1], key.shape[1], causal=causal, query_offset=query_offset, **masks)
    context = differentiable_twice(lambda *x: kernel(*x, scale, mask, False), ordinary)(query, key, value)
    return context * ops.cast(ops.swapaxes(alive, 1, 2), context.dtype)


def _kernel(query, key, value, causal, plain, bias):
    """A function of query, key, value, scale, mask and causality, or `None`."""
    backend = keras.backend.backend()
    if backend not in ("torch", "jax"):
        return None
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (query, key, value)}
    if len(dtypes) > 1 or (isinstance(query, keras.KerasTensor) and not plain):
        return None
    if backend == "torch":
        # PyTorch's GPU kernel refuses the odd strides of a single key that comes out of pooling; one key needs no
        # kernel.
        return None if key.shape[1] == 1 or _may_lose(bias, query, key, value) else _of_torch
    if isinstance(query, keras.KerasTensor) or default_device(backend) != "gpu" or bias is not None:
        return None  # a bias would be rounded to half precision
    # What hides keys is a number: in float16 it is not far below all logits.
    supported = ("float16", "bfloat16") if plain else ("bfloat16",)
    shapes = query.shape, key.shape, value.shape
    if not dtypes <= set(supported) or not known(*query.shape, *key.shape):
        return None
    return _of_cudnn if _cudnn_takes(*shapes, *dtypes, causal, plain) else None


def _may_lose(bias, *inputs):
    """Whether PyTorch's kernels lose a bias: rows of the lowest numbers.

    On CPUs their gradient does, which subtracts the logarithm of a sum that rounds away beside them; and it holds all
    logits for the gradient of a bias. On GPUs they multiply by log2(e), which makes -inf of the lowest.
    """
    if bias is None:
        return False
    import torch

    differentiated = torch.is_grad_enabled() and any(x.requires_grad for x in (bias, *inputs))
    return differentiated or default_device("torch") != "cpu"


def _fits(query, key, causal, device, *, mask, key_mask, window, bias):
    """Whether one mask for all, made here, is within the budget, or not larger than one that the caller gave."""
    (B, T), S = query.shape[:2], key.shape[1]
    shapes = [x.shape for x in (mask, bias) if x is not None and len(x.shape) == 4]
    given = max([0, *map(math.prod, shapes)])
    if key_mask is not None:
        shapes.append((B, 1, 1, S))
    if causal or window is not None or keras.backend.backend() == "jax":  # cuDNN takes no mask of one row
        shapes.append((1, 1, T, S))
    if bias is not None and len(bias.shape) == 3:
        shapes.append((*bias.shape[:2], T, S))
    whole = np.broadcast_shapes(*shapes)
    return whole[2] == 1 or is_mask_small(whole, given, device, itemsize(query))


def _one_mask(T, S, *, bias, **masks):
    """Which pairs are visible, or what is added to their logits, and which rows see a key, each of four axes.

    Rows that see none see all: a kernel makes NaN of them.
    """
    if bias is not None:
        return added_to_logits(T, S, bias=bias, dtype=bias.dtype, **masks)
    visible = visible_pairs(T, S, **masks)
    visible = visible if len(visible.shape) == 4 else ops.expand_dims(visible, (0, 1))
    alive = ops.any(visible, axis=-1, keepdims=True)
    return ops.logical_or(visible, ops.logical_not(alive)), alive


def _of_torch(query, key, value, scale, mask, causal):
    """Heads are padded to one size: the CPU kernel holds all logits where those of queries and values differ."""
    from torch.nn.functional import scaled_dot_product_attention

    H, V = query.shape[-1], value.shape[-1]
    groups = query.shape[2] // key.shape[2]
    if groups > 1:
        key, value = ops.repeat(key, groups, axis=2), ops.repeat(value, groups, axis=2)
    query, key, value = (widen(x, max(H, V)) for x in (query, key, value))
    if isinstance(query, keras.KerasTensor):
        return ops.dot_product_attention(query, key, value, scale=scale, is_causal=causal)[..., :V]
    query, key, value = (_by_heads(x) for x in (query, key, value))
    context = scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)
    return context.transpose(1, 2)[..., :V]


def _by_heads(x):
    """[B, N, T, H] of [B, T, N, H]: the same numbers where GPUs have a kernel for their strides.

    Else a copy: CPUs are faster with the rows of a head beside each other.
    """
    aligned = x.is_contiguous() and x.shape[-1] % 8 == 0
    x = x.transpose(1, 2)
    return x if x.is_cuda and aligned else x.contiguous()


def _of_cudnn(query, key, value, scale, mask, causal):
    import jax

    if mask is not None:
        (B, N), T = mask.shape[:2], query.shape[1]
        mask = ops.broadcast_to(mask, (B, N, T, key.shape[1]))
    return jax.nn.dot_product_attention(
        query, key, value, mask=mask, scale=scale, is_causal=causal, implementation="cudnn"
    )


@functools.cache
def _cudnn_takes(query, key, value, dtype, causal, plain):
    """Whether this GPU and version have a kernel with a gradient for these shapes: found out by tracing it."""
    import jax

    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape in (query, key, value)]
    mask = None if plain else jax.ShapeDtypeStruct((1, 1, query[1], key[1]), "bool")

    def gradient(mask, *x):
        return jax.grad(lambda *x: _of_cudnn(*x, 1.0, mask, plain and causal).sum(), argnums=(0, 1, 2))(*x)

    try:
        jax.eval_shape(gradient, mask, *inputs)
    except (ValueError, RuntimeError):
        return False
    return True
