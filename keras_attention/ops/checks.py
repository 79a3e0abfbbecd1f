"""What must hold of the arguments of `attend`, and what to say where it does not."""

import keras

from keras_attention.ops.require import is_int, require_bool, require_int, require_number, require_rate


def check_tensors(query, key, value, mask, query_mask, key_mask, bias):
    """Raises a `ValueError` that names the tensor, what must hold and what came."""
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
    if not (_fits(value.shape[1], S) and value.shape[2] == K):
        raise ValueError(f"`key` and `value` must have the same length and number of heads. Received: {shapes}")
    if not (_fits(key.shape[0], B) and _fits(value.shape[0], B) and _fits(key.shape[0], value.shape[0])):
        raise ValueError(f"`query`, `key` and `value` must have the same batch. Received: {shapes}")
    if not H or not K or N % K:
        raise ValueError(f"The heads of `key` and `value` must divide those of `query`. Received: {shapes}")
    _check_shape("attention_mask", mask, {2: (T, S), 3: (B, T, S), 4: (B, N, T, S)})
    _check_shape("query_mask", query_mask, {2: (B, T)}, broadcast=())
    _check_shape("key_mask", key_mask, {2: (B, S)}, broadcast=())
    _check_bias(bias, B, N, T, S)


def check_options(*, causal, query_offset, window, scale, dropout, seed, return_scores, block_size):
    """Raises a `ValueError` that names the option, what must hold and what came."""
    require_bool(causal, "causal")
    require_bool(return_scores, "return_scores")
    require_int(window, "window", optional=True)
    require_number(scale, "scale", optional=True)
    require_int(block_size, "block_size", optional=True, least=0)
    require_rate(dropout, "dropout")
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
    by_distance = len(bias.shape) == 3
    wanted = {3: (B, N, distances), 4: (B, N, T, S)}
    _check_shape("attention_bias", bias, wanted, broadcast=(0, 1) if by_distance else (0, 1, 2, 3))


def _check_shape(name, x, wanted, broadcast=(0, 1, 2, 3)):
    """`wanted`: the shape for each number of axes; `broadcast`: which axes may be one instead."""
    if x is None:
        return
    shape, want = tuple(x.shape), wanted.get(len(x.shape))
    if want is not None and all(
        _fits(a, b) or (a == 1 and axis in broadcast) for axis, (a, b) in enumerate(zip(shape, want, strict=True))
    ):
        return
    options = " or ".join(str(w) for w in wanted.values())
    hint = " A padding mask [B, S] goes into `value_mask`." if name == "attention_mask" else ""
    hint = " Three axes are a bias by distance: [B or 1, N or 1, T + S - 1]." if name == "attention_bias" else hint
    raise ValueError(f"`{name}` must have the shape {options}.{hint} Received: {name}.shape={shape}")


def _fits(a, b):
    """Whether two static lengths can be equal; `None` is not known yet."""
    return a is None or b is None or a == b
