"""Additive attention: a small network gives the logit of each pair; its hidden layer is never held whole.

    hidden: [B, T, S, U] = tanh(query [B, T, 1, U] + key [B, 1, S, U])
    logits: [B, T, S]    = hidden . vector

`hidden` has U times as many numbers as the logits. It is computed a tile at a time, and again in the backward pass.
"""

from keras import ops

from keras_attention.ops.checks import check_shape
from keras_attention.ops.pair_checks import check_pairs, check_tiling, check_window
from keras_attention.ops.paths.loop import added, choose_rows, fold, widen
from keras_attention.ops.paths.scored_pairs import attend_pairs, mix, prepare
from keras_attention.ops.paths.vjp import differentiable
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_bool
from keras_attention.ops.shapes.axes import last_axis
from keras_attention.ops.shapes.empty import cut_filled, fill_empty
from keras_attention.ops.shapes.sizes import maximum
from keras_attention.ops.windows import Window
from keras_attention.types import MaybeScores, Tensor


def additive_logits(
    query: Tensor,
    key: Tensor,
    vector: Tensor,
    *,
    coverage: Tensor | None = None,
    coverage_vector: Tensor | None = None,
    block_size: int | None = None,
    device: str | None = None,
) -> Tensor:
    r"""Logits of additive attention for queries and keys that are already projected.

    $$ e_{ts} = v^\top \tanh(q_t + k_s + w c_s) $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate", appendix A.1.2
    ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)), with q = W_a s and k = U_a h; the last term, if there is
    any, as in "Get To The Point", eq. 11 ([See et al., 2017](https://arxiv.org/abs/1704.04368)). Written out, with B
    batch, T queries, S keys, U units:

        logits: [B, T, S] = sum over U of vector * tanh(query + key + coverage_vector * coverage)

    A bias b inside the tanh is added to the query or to the key before.

    Args:
        query: [B, T, U].
        key: [B, S, U].
        vector: [U].
        coverage: [B, S] or `None`: the sum of the scores of each key so far.
        coverage_vector: [U]; with `coverage`.
        block_size: Rows of queries per tile, 0 for no tiles, `None` to choose.
        device: Kind of device to choose for, see `attend`.

    Returns:
        [B, T, S], float32, or float64 if an input is.

    Raises:
        ValueError: If shapes do not fit, or only one of `coverage` and `coverage_vector` is given.

    Example:

    >>> import keras
    >>> query, key = keras.ops.ones((2, 5, 6)), keras.ops.ones((2, 7, 6))
    >>> tuple(additive_logits(query, key, keras.ops.ones((6,))).shape)
    (2, 5, 7)
    """
    query, key, vector = at_least_float32(query, key, vector)
    check_pairs(query, key)
    check_shape(vector, "vector", key.shape[-1:])
    check_tiling(block_size, device)
    covered = [ops.cast(x, query.dtype) for x in _coverage(coverage, coverage_vector, key)]
    (B, T), S = ops.shape(query)[:2], ops.shape(key)[1]
    query, key = fill_empty(query, 0, 1), fill_empty(key, 0, 1)
    covered[:1] = [fill_empty(x, 0, 1) for x in covered[:1]]
    rows = choose_rows(query, key, key.shape[-1], block_size, device)

    def forward(query, key, vector, *covered):
        return _forward(query, _cover(key, *covered), vector, rows)

    def backward(inputs, _, d_logits):
        query, key, vector, *covered = inputs
        d_query, d_key, d_vector = _backward(query, _cover(key, *covered), vector, d_logits, rows)
        return d_query, d_key, d_vector, *_coverage_gradients(d_key, *covered)

    return cut_filled(differentiable(forward, backward)(query, key, vector, *covered), B, T, S)


def additive_attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    vector: Tensor,
    *,
    mask: Tensor | None = None,
    query_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    center: Tensor | None = None,
    half_width: float | None = None,
    gaussian: bool = True,
    renormalize: bool = False,
    return_scores: bool = False,
    block_size: int | None = None,
    device: str | None = None,
) -> MaybeScores:
    r"""Additive (Bahdanau) attention, dense or blockwise, with the same result.

    $$ \mathrm{softmax}_s(v^\top \tanh(q_t + k_s)) \, V $$

    with the logits of `additive_logits`. The softmax and the weighted sum are computed in the same tiles: memory grows
    with T + S, and neither [B, T, S, U] nor [B, T, S] is held, forward or backward.

    Masking: a key is visible only if `mask`, `query_mask`, `key_mask` and the window all allow it. A query that sees no
    key gets zeros. Values at positions that `key_mask` or `query_mask` excludes, even NaN, have no effect elsewhere,
    forward or backward.

    Args:
        query: [B, T, U].
        key: [B, S, U].
        value: [B, S, V].
        vector: [U].
        mask: Boolean or integer [T, S] or [B, T, S], or 1 for any of them. True marks pairs that take part.
        query_mask: [B, T]. True marks positions that take part.
        key_mask: [B, S], alike.
        center: [B, T], floating, or `None` for no window: see `windowed_attend`.
        half_width, gaussian, renormalize: As for `windowed_attend`; with `center`.
        return_scores: Whether to return the scores too; needs [B, T, S], but not [B, T, S, U].
        block_size: Rows of queries per tile, 0 for no tiles, `None` to choose.
        device: Kind of device to choose for, see `attend`.

    Returns:
        context [B, T, V] of the dtype of `value`; with `return_scores`, `(context, scores [B, T, S])`.

    Raises:
        ValueError: If shapes do not fit, a mask is floating, or an argument is out of its range.

    Example:

    >>> import keras
    >>> x = keras.ops.ones((2, 5, 4))
    >>> tuple(additive_attend(x, x, x, keras.ops.ones((4,))).shape)
    (2, 5, 4)
    """
    query, key, value, vector = (ops.convert_to_tensor(x) for x in (query, key, value, vector))
    center = None if center is None else ops.convert_to_tensor(center)
    check_window(center, half_width, gaussian, renormalize)
    check_tiling(block_size, device)
    require_bool(return_scores, "return_scores")
    dtype, window = value.dtype, None if center is None else Window(half_width, gaussian, renormalize)
    (query, key, value), masks = prepare(query, key, value, mask, query_mask, key_mask, center)
    check_shape(vector, "vector", key.shape[-1:])
    vector = ops.cast(vector, query.dtype)
    if return_scores:
        logits = additive_logits(query, key, vector, block_size=block_size, device=device)
        context, weights = mix(logits, value, window=window, **masks)
        return ops.cast(context, dtype), ops.cast(weights, dtype)
    rest = {"width": key.shape[-1], "window": window, "block_size": block_size, "device": device, **masks}
    return ops.cast(attend_pairs(query, key, value, additive, (vector,), **rest), dtype)


def additive(query, key, vector):
    """Logits [..., T, S] of [..., T, U] and [..., S, U], and their vector-Jacobian product with all three."""
    hidden = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
    flat = ops.reshape(hidden, (-1, key.shape[-1]))
    logits = ops.reshape(ops.matmul(flat, ops.expand_dims(vector, 1)), tuple(ops.shape(hidden)[:-1]))

    def vjp(d_logits):
        slope = ops.expand_dims(d_logits, -1) * (1.0 - ops.square(hidden))
        d_vector = ops.matmul(ops.reshape(d_logits, (1, -1)), flat)[0]
        return ops.sum(slope, axis=-2) * vector, ops.sum(slope, axis=-3) * vector, d_vector

    return logits, vjp


def _coverage(coverage, coverage_vector, key):
    """Both as tensors that fit the keys, or an empty list."""
    if (coverage is None) != (coverage_vector is None):
        raise ValueError(
            "`coverage` and `coverage_vector` go together. "
            f"Received: coverage={coverage!r}, coverage_vector={coverage_vector!r}"
        )
    if coverage is None:
        return []
    coverage, coverage_vector = ops.convert_to_tensor(coverage), ops.convert_to_tensor(coverage_vector)
    check_shape(coverage, "coverage", tuple(key.shape[:2]))
    check_shape(coverage_vector, "coverage_vector", key.shape[-1:])
    return [coverage, coverage_vector]


def _cover(key, coverage=None, coverage_vector=None):
    return key if coverage is None else key + ops.expand_dims(coverage, -1) * coverage_vector


def _coverage_gradients(d_key, coverage=None, coverage_vector=None):
    if coverage is None:
        return ()
    d_coverage = ops.matmul(d_key, ops.expand_dims(coverage_vector, 1))[..., 0]
    return d_coverage, ops.sum(d_key * ops.expand_dims(coverage, -1), axis=(0, 1))


def _forward(query, key, vector, rows):
    if rows is None:
        return additive(query, key, vector)[0]
    key, S, U = rows.split(key), ops.shape(key)[1], key.shape[-1]
    width = maximum(S, U)

    def at(p):
        keys = key[p]

        def tile(i, slot, sums, totals):
            logits = additive(last_axis(slot, 0, U), keys, vector)[0]
            return widen(logits, width, S), sums, totals

        return [tile]

    return rows.join(fold(widen(rows.cut(query), width), [], [], at)[0])[..., :S]


def _backward(query, key, vector, d_logits, rows):
    if rows is None:
        return additive(query, key, vector)[1](d_logits)
    key, d_logits = rows.split(key), rows.cut(d_logits)

    def at(p):
        keys, d_rows = key[p], d_logits[p]

        def tile(i, slot, sums, totals):
            d_query, d_key, d_vector = additive(slot, keys, vector)[1](d_rows[i])
            return d_query, added(sums, [d_key]), added(totals, [d_vector])

        return [tile]

    slots, [d_key], [d_vector] = fold(rows.cut(query), [ops.zeros_like(key)], [ops.zeros_like(vector)], at)
    return rows.join(slots), rows.merge(d_key), d_vector
