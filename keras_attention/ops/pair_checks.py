"""Validation of [B, T, *] queries, [B, S, *] keys and their values, masks and windows."""

import keras
from keras import ops

from keras_attention.ops.checks import check_shape
from keras_attention.ops.paths.plan import DEVICES
from keras_attention.ops.require import require_bool, require_choice, require_int, require_number
from keras_attention.ops.shapes.sizes import is_symbol, may_equal


def check_pairs(query, key, value=None, query_mask=None, key_mask=None):
    """Raises a `ValueError` that names the argument unless the shapes fit: [B, T, U], [B, S, U], [B, S, V]; masks."""
    named = {"query": query, "key": key} if value is None else {"query": query, "key": key, "value": value}
    received = "Received: " + ", ".join(f"{name}.shape={tuple(x.shape)}" for name, x in named.items())
    for name, x in named.items():
        if len(x.shape) != 3 or x.shape[-1] is None:
            raise ValueError(f"`{name}` must have three axes [batch, length, size], of a known size. {received}")
    (B, T, U), S = query.shape, key.shape[1]
    if key.shape[-1] != U:
        raise ValueError(f"`query` and `key` must have the same size. {received}")
    if not may_equal(key.shape[0], B) or (value is not None and not may_equal(value.shape[0], B)):
        raise ValueError(f"`query`, `key` and `value` must have the same batch size. {received}")
    if value is not None and not may_equal(value.shape[1], S):
        raise ValueError(f"`key` and `value` must have the same length. {received}")
    check_shape(query_mask, "query_mask", (B, T))
    check_shape(key_mask, "key_mask", (B, S))


def require_length(value, name, least=0):
    """Raises unless it is an int of at least `least`, a scalar integer tensor or a symbol of `jax.export`."""
    if is_symbol(value):
        return
    if not ops.is_tensor(value):
        require_int(value, name, least=least)
    elif len(value.shape) or not keras.backend.is_int_dtype(keras.backend.standardize_dtype(value.dtype)):
        raise ValueError(
            f"`{name}` must be an int or a scalar integer tensor. "
            f"Received: {name}.shape={tuple(value.shape)}, {name}.dtype={value.dtype}"
        )


def check_tiling(block_size, device):
    """Raises unless `block_size` is `None` or an int, 0 or more, and `device` `None` or a kind of device."""
    require_int(block_size, "block_size", optional=True, least=0)
    require_choice(device, "device", (None, *DEVICES))


def check_window(center, half_width, gaussian, renormalize):
    """Raises unless `center` and `half_width` are both `None`, or positions and a positive number."""
    require_bool(gaussian, "gaussian")
    require_bool(renormalize, "renormalize")
    if center is None:
        if half_width is not None:
            raise ValueError(f"`half_width` needs a `center`. Received: center=None, half_width={half_width!r}")
        return
    require_number(half_width, "half_width", above=0)
    if keras.backend.standardize_dtype(center.dtype) == "bool":
        raise ValueError("`center` must be a position, counted in keys. Received: center.dtype=bool")
