"""Validation of the arguments of `attend`."""

import keras

from keras_attention.ops.paths.plan import DEVICES
from keras_attention.ops.require import is_int, require_bool, require_choice, require_int, require_number, require_rate
from keras_attention.ops.shapes.sizes import may_equal

ALL = (0, 1, 2, 3)  # axes that may broadcast


def check_tensors(query, key, value, mask, query_mask, key_mask, bias, sinks=None):
    """Raises a `ValueError` that names the tensor, the requirement and what was received."""
    for name, x in (("query", query), ("key", key), ("value", value)):
        if len(x.shape) != 4:
            raise ValueError(
                f"`{name}` must have four axes [batch, length, heads, size]. Received: {name}.shape={tuple(x.shape)}"
            )
        if not keras.backend.is_float_dtype(_dtype(x)):
            raise ValueError(f"`{name}` must be floating. Received: {name}.dtype={_dtype(x)}")
    B, T, N, H = query.shape
    S, K = key.shape[1:3]
    shapes = f"query.shape={tuple(query.shape)}, key.shape={tuple(key.shape)}, value.shape={tuple(value.shape)}"
    if key.shape[-1] != H:
        raise ValueError(f"`query` and `key` must have heads of the same size. Received: {shapes}")
    if not (may_equal(value.shape[1], S) and value.shape[2] == K):
        raise ValueError(f"`key` and `value` must have the same length and number of heads. Received: {shapes}")
    if not (may_equal(key.shape[0], B) and may_equal(value.shape[0], B) and may_equal(key.shape[0], value.shape[0])):
        raise ValueError(f"`query`, `key` and `value` must have the same batch. Received: {shapes}")
    if N is None or K is None:
        raise ValueError(f"The heads of `query`, `key` and `value` must be known. Received: {shapes}")
    if not H or not K or N % K:
        raise ValueError(f"The heads of `key` and `value` must divide those of `query`. Received: {shapes}")
    padding = " A padding mask [B, S] goes into `value_mask`."
    check_shape(mask, "attention_mask", (T, S), (B, T, S), (B, N, T, S), broadcast=ALL, hint=padding)
    check_shape(query_mask, "query_mask", (B, T))
    check_shape(key_mask, "key_mask", (B, S))
    _check_bias(bias, B, N, T, S)
    check_shape(sinks, "sinks", (N,))


def check_options(
    *, causal, query_offset, window, scale, dropout, seed, return_scores, block_size, device, training, logit_cap
):
    """Raises a `ValueError` that names the option, the requirement and what was received."""
    require_bool(causal, "causal")
    require_bool(return_scores, "return_scores")
    require_bool(training, "training")
    require_int(window, "window", optional=True)
    require_number(scale, "scale", optional=True)
    require_number(logit_cap, "logit_cap", optional=True, above=0)
    require_int(block_size, "block_size", optional=True, least=0)
    require_rate(dropout, "dropout")
    require_choice(device, "device", (None, *DEVICES))
    if not _is_int(query_offset, rank=0):
        raise ValueError(
            f"`query_offset` must be an int or a scalar integer tensor. Received: query_offset={query_offset!r}"
        )
    if seed is not None and not _is_int(seed):
        raise ValueError(f"`seed` must be an int or an integer tensor. Received: seed={seed!r}")
    if dropout and seed is None:
        raise ValueError(
            "`seed` must be given with dropout, so that the backward pass can drop the same entries again."
        )


def _is_int(x, rank=None):
    """Whether x is an int, or an integer tensor or array (of that many axes)."""
    if is_int(x):
        return True
    if not hasattr(x, "dtype") or not hasattr(x, "shape") or (rank is not None and len(x.shape) != rank):
        return False
    return keras.backend.is_int_dtype(_dtype(x))


def _dtype(x):
    return keras.backend.standardize_dtype(x.dtype)


def _check_bias(bias, B, N, T, S):
    if bias is None:
        return
    if _dtype(bias) == "bool":
        raise ValueError(
            "`attention_bias` is added to the logits and must be a number. A boolean mask goes into `attention_mask`. "
            "Received: attention_bias.dtype=bool"
        )
    distances = None if T is None or S is None else max(T + S - 1, 0)
    axes = (0, 1) if len(bias.shape) == 3 else ALL
    hint = " Three axes are a bias by distance: [B or 1, N or 1, T + S - 1]."
    check_shape(bias, "attention_bias", (B, N, distances), (B, N, T, S), broadcast=axes, hint=hint)


def check_shape(x, name, *shapes, broadcast=(), hint=""):
    """Raises unless `x`, if it is given, has one of the shapes, in which `None` is unknown.

    Args:
        x: Tensor or `None`.
        name: The argument's name.
        *shapes: Tuples.
        broadcast: Axes that may be 1 instead.
        hint: Text appended to the requirement.
    """
    if x is None:
        return
    shape = tuple(x.shape)
    for wanted in (s for s in shapes if len(s) == len(shape)):
        if all(
            may_equal(a, b) or (a == 1 and axis in broadcast)
            for axis, (a, b) in enumerate(zip(shape, wanted, strict=True))
        ):
            return
    options = " or ".join(str(wanted) for wanted in shapes)
    raise ValueError(f"`{name}` must have the shape {options}.{hint} Received: {name}.shape={shape}")
