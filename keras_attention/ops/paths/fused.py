"""The backend's fused attention kernel, where it supports all arguments of the call."""

import keras
from keras import ops


def fused(query, key, value, *, scale, mask, key_mask, causal, query_offset, window, bias, dropout, seed):
    """Context [B, T, N, V] from the backend's kernel, or `None` where no kernel supports these arguments.

    PyTorch: `scaled_dot_product_attention`, with padding or causality, which needs no [T, S] mask. JAX: the flash
    kernel of a GPU, in half precision. TensorFlow has none. The caller zeroes rows that see no key.
    """
    if mask is not None or window is not None or bias is not None or dropout:
        return None
    if causal and (key_mask is not None or not (isinstance(query_offset, int) and query_offset == 0)):
        return None
    backend = keras.backend.backend()
    # PyTorch's GPU kernel refuses the odd strides of a single key that comes out of pooling; one key needs no kernel.
    if backend == "torch" and key.shape[1] != 1:
        return _of_one_size(query, key, value, scale, key_mask, causal)
    if backend == "jax" and key_mask is None and _is_half(query) and _has_gpu():
        try:
            return _kernel(query, key, value, scale, None, causal, flash_attention=True)
        except (ValueError, RuntimeError):  # this GPU, head size or length has no flash kernel
            return None
    return None


def _of_one_size(query, key, value, scale, key_mask, causal):
    """Pads heads to one size: PyTorch's CPU kernel holds all scores where those of queries and values differ."""
    H, V = query.shape[-1], value.shape[-1]
    if H < V:
        query, key = (ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, V - H))) for x in (query, key))
    if V < H:
        value = ops.pad(value, ((0, 0), (0, 0), (0, 0), (0, H - V)))
    return _kernel(query, key, value, scale, key_mask, causal)[..., :V]


def _kernel(query, key, value, scale, key_mask, causal, **kwargs):
    groups = query.shape[2] // key.shape[2]
    if groups > 1:
        key, value = ops.repeat(key, groups, axis=2), ops.repeat(value, groups, axis=2)
    mask = None if key_mask is None else key_mask[:, None, None, :]
    return ops.dot_product_attention(query, key, value, mask=mask, scale=scale, is_causal=causal, **kwargs)


def _has_gpu():
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX without the platform
        return False


def _is_half(x):
    return keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
