"""What must hold of the arguments of `attend`, and what to say where it does not."""


def check_attend(query, key, value, mask, query_mask, key_mask, bias, window, dropout, seed):
    """Raises a `ValueError` that names the argument, what must hold and what came."""
    for name, x in (("query", query), ("key", key), ("value", value)):
        if len(x.shape) != 4:
            raise ValueError(
                f"`{name}` must have four axes [batch, length, heads, size]. Received: {name}.shape={tuple(x.shape)}"
            )
    B, T, N, H = query.shape
    S, K = key.shape[1:3]
    shapes = f"query.shape={tuple(query.shape)}, key.shape={tuple(key.shape)}, value.shape={tuple(value.shape)}"
    if key.shape[-1] != H:
        raise ValueError(f"`query` and `key` must have heads of the same size. Received: {shapes}")
    if not (_fits(value.shape[1], S) and value.shape[2] == K):
        raise ValueError(f"`key` and `value` must have the same length and number of heads. Received: {shapes}")
    if N % K:
        raise ValueError(f"The heads of `key` and `value` must divide those of `query`. Received: {shapes}")
    _check_shape("attention_mask", mask, {2: (T, S), 3: (B, T, S), 4: (B, N, T, S)})
    _check_shape("query_mask", query_mask, {2: (B, T)}, broadcast=False)
    _check_shape("key_mask", key_mask, {2: (B, S)}, broadcast=False)
    distances = None if T is None or S is None else T + S - 1
    if bias is not None and len(bias.shape) == 3:
        _check_shape("attention_bias", bias, {3: (B, N, distances)}, broadcast=False, batch=True)
    else:
        _check_shape("attention_bias", bias, {3: (B, N, distances), 4: (B, N, T, S)})
    if window is not None and (not isinstance(window, int) or window < 1):
        raise ValueError(f"`window` must be a positive int or `None`. Received: window={window!r}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout!r}")
    if dropout and seed is None:
        raise ValueError(
            "`seed` must be given with dropout, so that the backward pass can drop the same entries again."
        )


def _check_shape(name, x, wanted, broadcast=True, batch=False):
    if x is None:
        return
    shape, want = tuple(x.shape), wanted.get(len(x.shape))
    if want is not None and all(
        _fits(a, b) or (a == 1 and (broadcast or (batch and axis == 0)))
        for axis, (a, b) in enumerate(zip(shape, want, strict=True))
    ):
        return
    options = " or ".join(str(w) for w in wanted.values())
    hint = " A padding mask [B, S] goes into `value_mask`." if name == "attention_mask" else ""
    hint = " Three axes are a bias by distance: [B or 1, N, T + S - 1]." if name == "attention_bias" else hint
    raise ValueError(f"`{name}` must have the shape {options}.{hint} Received: {name}.shape={shape}")


def _fits(a, b):
    """Whether two static lengths can be equal; `None` is not known yet."""
    return a is None or b is None or a == b
