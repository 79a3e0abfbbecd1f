"""Scaled dot-product attention: logits, masks, softmax, weighted sum. Written once, for every layer."""

import math

from keras import ops

from keras_attention.ops.checks import check_options, check_tensors
from keras_attention.ops.masks import alive_rows, both, in_band, require_boolean
from keras_attention.ops.paths.blockwise import blockwise
from keras_attention.ops.paths.chosen_queries import at_queries, require_queries
from keras_attention.ops.paths.dense import dense, dense_context, dense_row
from keras_attention.ops.paths.fused import fused
from keras_attention.ops.paths.plan import device_kind, is_dense
from keras_attention.ops.paths.toeplitz import hide_distances
from keras_attention.ops.precision import computed_in, itemsize
from keras_attention.ops.require import is_int
from keras_attention.ops.shapes.axes import fold_axes, fold_scores_like, unfold_axes, unfold_scores
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.ops.shapes.sizes import either, same, shape_of
from keras_attention.types import MaybeScores, Tensor

LARGEST = 3.4028234663852886e38  # of float32


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    query_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    bias: Tensor | None = None,
    causal: bool = False,
    query_offset: int | Tensor = 0,
    window: int | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
    seed: int | Tensor | None = None,
    return_scores: bool = False,
    block_size: int | None = None,
    device: str | None = None,
    training: bool = True,
    logit_cap: float | None = None,
    sinks: Tensor | None = None,
    score_queries: Tensor | None = None,
) -> MaybeScores:
    r"""Scaled dot-product attention, dense or blockwise, with the same result.

    $$ \mathrm{softmax}(\mathrm{scale} \cdot Q K^\top + \mathrm{bias}) \, V $$

    as in "Attention Is All You Need", eq. 1 ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out,
    with B batch, T queries, S keys, N heads, K key/value heads, H head size, V value head size:

        logits:  [B, N, T, S] = cap(query . key * scale) + bias        (float32; float64 if an input is)
        probs:   [B, N, T, S] = softmax over S of logits, zero where not visible
        context: [B, T, N, V] = probs . value

    The blockwise path computes the logits of a block of queries at a time and, for the gradient, computes them again,
    so that memory grows with T + S. It is exact. Causal and windowed attention skips tiles that are masked out.

    Masking: a key is visible only if `mask`, `query_mask`, `key_mask`, `causal` and `window` all allow it and the bias
    is not -inf; a finite bias, however low, hides no key and reveals none. A query that sees no key gets zeros. Values
    at positions that `key_mask` or `query_mask` excludes, even NaN, have no effect elsewhere, forward or backward.

    Second derivatives of a function traced with unknown lengths by TensorFlow, with the plan of CPUs, may end under XLA
    in an error of TensorFlow ("FakeParam"), as it chooses at run time. There, give `block_size` or `device="gpu"`.

    Args:
        query: [B, T, N, H].
        key: [B, S, K, H], where K divides N: head n attends to key/value head n // (N // K).
        value: [B, S, K, V].
        mask: Boolean or integer [T, S], [B, T, S] or broadcastable to [B, N, T, S]. True marks pairs that take part.
        query_mask: [B, T]. True marks positions that take part.
        key_mask: [B, S], alike.
        bias: Added to the logits, -inf hides a key: four axes that broadcast to [B, N, T, S]; or, in linear
            memory, three axes [B or 1, N or 1, T + S - 1] by distance: entry j for key s and query t with
            s - t = j - (T - 1), both counted from the start of this call. Give it in float32 where the inputs are of
            half precision.
        causal: Whether query t attends only to keys s <= t + query_offset.
        query_offset: Position of the first query among the keys: an int, or a scalar integer tensor.
        window: Positive int: query t attends only to keys with |t + query_offset - s| < window.
        scale: Float; `None` means 1 / sqrt(H).
        dropout: Rate in [0, 1); probabilities are dropped after the softmax and the others scaled by 1 / (1 - rate).
            0 outside of training.
        seed: Int or integer tensor; needed with dropout. The same seed drops the same entries on every path.
        return_scores: Whether to return the probabilities, before dropout, too. Needs the dense path if of all queries.
        block_size: Rows of queries per tile: an int takes the blockwise path, 0 the dense one. `None` chooses: the
            backend's fused kernel where it keeps all of the above (PyTorch; JAX on a GPU), else by `device`.
        device: "cpu": dense below `T * S = 1024 * 1024`, and from there on tiles of 256 rows of one head. "gpu" or
            "tpu": dense up to 512 MB of logits [B, N, T, S], and from there on tiles of as many, of all heads. `None`:
            the kind of the default device, or what the environment variable `KERAS_ATTENTION_DEVICE` says.
        training: Whether this is part of a training step. A graph of TensorFlow that is traced with unknown lengths
            chooses a path when it runs: if true by `tf.switch_case`, whose gradient XLA compiles; if not by `tf.cond`,
            which converters to ONNX and LiteRT know.
        logit_cap: Positive float c: logits before the bias are c tanh(query . key * scale / c), as in Gemma 2
            ([Gemma Team, 2024](https://arxiv.org/abs/2408.00118), section 2). `None`: they are not capped.
        sinks: [N], attention sinks: a logit for each head that takes part in the sum of the softmax alone, so that
            probabilities sum to less than 1 ([Agarwal et al., 2025](https://arxiv.org/abs/2508.10925), section 2.3).
        score_queries: Integers [R], positions of queries (negative ones from the end): `return_scores` returns the
            probabilities of these alone, [B, N, R, S], and the context takes the same path as without.

    Returns:
        context [B, T, N, V] of the dtype of `value`; with `return_scores`, `(context, probs [B, N, T, S])`.

    Raises:
        ValueError: If shapes do not fit, a mask is floating, or an argument is of a wrong type or out of range.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 5, 4, 8))
    >>> tuple(attend(x, x, x, causal=True).shape)
    (2, 5, 4, 8)
    """
    query, key, value = (ops.convert_to_tensor(x) for x in (query, key, value))
    mask = require_boolean(mask, "attention_mask")
    query_mask, key_mask = require_boolean(query_mask, "query_mask"), require_boolean(key_mask, "key_mask")
    bias, sinks = (None if x is None else ops.convert_to_tensor(x) for x in (bias, sinks))
    check_tensors(query, key, value, mask, query_mask, key_mask, bias, sinks)
    options = {"causal": causal, "query_offset": query_offset, "window": window, "scale": scale, "dropout": dropout}
    options |= {"seed": seed, "return_scores": return_scores, "block_size": block_size, "device": device}
    options |= {"training": training, "logit_cap": logit_cap}
    check_options(**options)
    query, key, value = zero_padding(query, query_mask), zero_padding(key, key_mask), zero_padding(value, key_mask)
    options |= {"mask": mask, "query_mask": query_mask, "key_mask": key_mask, "bias": bias, "sinks": sinks}
    return attend_and_score(query, key, value, require_queries(score_queries, query.shape[1:2]), **options)


def attend_and_score(query, key, value, chosen, *, return_scores=False, **given):
    """`attend_unchecked`, with the scores of the `chosen` queries alone, if that is an integer tensor [R]."""
    if chosen is None or not return_scores:
        return attend_unchecked(query, key, value, return_scores=return_scores, **given)
    context = attend_unchecked(query, key, value, **given)
    query, given = at_queries(chosen, query, key, **given)
    return context, attend_unchecked(query, key, value, return_scores=True, **given)[1]


def attend_unchecked(
    query,
    key,
    value,
    *,
    mask=None,
    query_mask=None,
    key_mask=None,
    bias=None,
    causal=False,
    query_offset=0,
    window=None,
    scale=None,
    dropout=0.0,
    seed=None,
    return_scores=False,
    block_size=None,
    device=None,
    training=True,
    logit_cap=None,
    sinks=None,
):
    """`attend` without validation: shapes fit, masks are boolean, and no padded position holds NaN."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    band = {"causal": causal, "query_offset": _int32(query_offset), "window": window}
    dtype, wide, device = value.dtype, computed_in(query, key, value), device_kind(device)
    bias = _full_precision(bias, wide, shape_of(query)[1], band)
    rest = {"mask": _four_axes(mask), "key_mask": key_mask, "bias": bias, "dropout": dropout, "seed": seed, **band}
    rest |= {"logit_cap": logit_cap, "sinks": _per_head(sinks, wide)}
    alive = _alive(query, key, query_mask, rest)
    block_size = 0 if 0 in (*query.shape[:2], key.shape[1]) else block_size
    if return_scores:
        query, key, value = ops.cast(query, wide) * scale, ops.cast(key, wide), ops.cast(value, wide)
        return _finish(*dense(query, key, value, **rest), alive, dtype)

    def ordinary(query, key, value):
        query, key, value = ops.cast(query, wide) * scale, ops.cast(key, wide), ops.cast(value, wide)
        return ops.cast(_choose(query, key, value, block_size, device, training, rest), dtype)

    context = fused(query, key, value, ordinary, device, scale=scale, **rest) if block_size is None else None
    return zero_padding(ordinary(query, key, value) if context is None else context, alive)


def _alive(query, key, query_mask, rest):
    """Which rows are not zeroed, beside those for which a mask of pairs or a bias is looked at: [B, T] or `None`."""
    band = {name: rest[name] for name in ("causal", "query_offset", "window")}
    # Self-attention with padding: every query that takes part sees a key, its own.
    themselves = query_mask is not None and query_mask is rest["key_mask"] and same(band["query_offset"], 0)
    if rest["mask"] is not None or rest["bias"] is not None or themselves:
        return query_mask
    return both(query_mask, alive_rows(shape_of(query)[1], shape_of(key)[1], rest["key_mask"], **band))


def attend_row(
    query,
    key,
    value,
    *,
    mask=None,
    query_mask=None,
    key_mask=None,
    bias=None,
    causal=False,
    query_offset=0,
    window=None,
    dropout=0.0,
    seed=None,
    return_scores=False,
    logit_cap=None,
    sinks=None,
):
    """`attend_unchecked` of one query over keys and values as a cache or a memory holds them, in their own layout.

    Args:
        query: [B, 1, N, H].
        key: [B, K, S, H].
        value: [B, K, S, V].
        mask ... sinks: See `attend`.
    """
    dtype, wide = value.dtype, computed_in(query, key, value)
    band = {"causal": causal, "query_offset": _int32(query_offset), "window": window}
    bias = _full_precision(bias, wide, 1, band)
    row, columns = ops.reshape(band["query_offset"], (1, 1)), ops.arange(ops.shape(key)[2], dtype="int32")
    # All masks are one here: there is but one row.
    mask = both(_four_axes(mask), in_band(row, ops.expand_dims(columns, 0), causal, window))
    mask = both(mask, None if key_mask is None else ops.expand_dims(key_mask, (1, 2)))
    rest = {"mask": mask, "key_mask": None, "causal": False, "query_offset": 0, "window": None}
    rest |= {"logit_cap": logit_cap, "sinks": _per_head(sinks, wide)}
    query, key, value = ops.cast(query, wide) * query.shape[-1] ** -0.5, ops.cast(key, wide), ops.cast(value, wide)
    context, probs = dense_row(query, key, value, bias=bias, dropout=dropout, seed=seed, **rest)
    return _finish(context, probs if return_scores else None, query_mask, dtype)


def _finish(context, probs, alive, dtype):
    """The context, and the probabilities if there are any, zero for queries that see no key, in `dtype`."""
    context = ops.cast(zero_padding(context, alive), dtype)
    if probs is None:
        return context
    return context, ops.cast(zero_padding(probs, None if alive is None else ops.expand_dims(alive, 1)), dtype)


def _choose(query, key, value, block_size, device, training, rest):
    """The dense path or tiles, query scaled; decided when the graph runs if the sizes are not known."""
    (B, T), S, N = shape_of(query)[:2], shape_of(key)[1], query.shape[2]

    def whole():
        return dense_context(query, key, value, **rest)

    def tiles():
        return blockwise(query, key, value, block_size, device, **rest)

    if block_size is not None:
        return tiles() if block_size else whole()
    return either(is_dense(B, T, S, N, device, itemsize(query)), whole, tiles, training)


def _int32(offset):
    """A Python int, or a tensor cast to int32, the dtype of positions."""
    return int(offset) if is_int(offset) else ops.cast(offset, "int32")


def _full_precision(bias, dtype, T, band):
    """The bias in the dtype of the logits; one by distance holds causality and the window, too.

    Finite values stay finite: only -inf hides.
    """
    if bias is None:
        return None
    if computed_in(bias) == "float64" and dtype == "float32":
        lowest = ops.cast(-LARGEST, "float64")
        bias = ops.where(bias > -math.inf, ops.maximum(bias, lowest), bias)
    bias = ops.cast(bias, dtype)
    return hide_distances(bias, T, **band) if len(bias.shape) == 3 else bias


def _per_head(sinks, dtype):
    """[N] -> [1, N, 1, 1]."""
    return None if sinks is None else ops.cast(ops.reshape(sinks, (1, -1, 1, 1)), dtype)


def _four_axes(mask):
    if mask is None or len(mask.shape) == 4:
        return mask
    return ops.expand_dims(mask, (0, 1)) if len(mask.shape) == 2 else ops.expand_dims(mask, 1)


def attend_axes(
    query,
    key,
    value,
    axes,
    *,
    mask=None,
    query_mask=None,
    key_mask=None,
    bias=None,
    return_scores=False,
    chosen=None,
    **kwargs,
):
    """`attend` over the attended axes of [B, *middle, N, H]; padded positions hold finite numbers.

    Args:
        query, key, value: [B, *middle, N, H]; they differ in the attended axes only.
        axes: Tuple of ints: the attended axes.
        mask, bias: Broadcastable to the scores, see `fold_scores_like`; or a bias by distance.
        query_mask, key_mask: [B, *middle].
        return_scores: Whether to return the scores [B, *free, N, *query axes, *key axes] too.
        chosen: Integer tensor [R]: the scores are those of these queries alone, [B, *free, N, R, *key axes].
        **kwargs: Further arguments of `attend_unchecked`.

    Returns:
        context [B, *middle, N, V]; with `return_scores`, `(context, scores)`.
    """
    query_dims, key_dims = shape_of(query)[:-2], shape_of(key)[:-2]
    if bias is not None and len(bias.shape) > 3:
        bias = fold_scores_like(bias, axes, query_dims, key_dims)
    context = attend_and_score(
        *(fold_axes(x, axes, trailing=2) for x in (query, key, value)),
        chosen,
        mask=None if mask is None else fold_scores_like(mask, axes, query_dims, key_dims),
        query_mask=None if query_mask is None else fold_axes(query_mask, axes, trailing=0),
        key_mask=None if key_mask is None else fold_axes(key_mask, axes, trailing=0),
        bias=bias,
        return_scores=return_scores,
        **kwargs,
    )
    if not return_scores:
        return unfold_axes(context, axes, query_dims)
    context, scores = context
    rows = None if chosen is None else chosen.shape[0]
    return unfold_axes(context, axes, query_dims), unfold_scores(scores, axes, query_dims, key_dims, rows)
