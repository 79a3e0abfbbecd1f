"""Additive attention: a small network scores each pair of query and key; its hidden layer is never held whole.

    hidden: [B, T, S, U] = tanh(query [B, T, 1, U] + key [B, 1, S, U])
    scores: [B, T, S]    = hidden . vector

`hidden` has U times as many numbers as the scores. It is made a tile at a time, and once more in the backward pass.
"""

from keras import ops

from keras_attention.ops.pairs import attend_pairs, mix, prepare
from keras_attention.ops.rows import choose_rows, fold, tensors
from keras_attention.ops.stages import maximum
from keras_attention.ops.windows import Window


def additive_scores(query, key, vector, *, coverage=None, coverage_vector=None, block_size=None):
    r"""Scores of additive attention for queries and keys that are already projected.

    $$ e_{ts} = v^\top \tanh(q_t + k_s + w c_s) $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate", appendix A.1.2
    ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)), with q = W_a s and k = U_a h; the last term, if there is
    any, as in "Get To The Point", eq. 11 ([See et al., 2017](https://arxiv.org/abs/1704.04368)). Written out, with B
    batch, T queries, S keys, U units:

        scores: [B, T, S] = sum over U of vector * tanh(query + key + coverage_vector * coverage)

    A bias b inside the tanh is added to the query or to the key before.

    Args:
        query: [B, T, U].
        key: [B, S, U].
        vector: [U].
        coverage: [B, S] or `None`: how much each key was attended to so far.
        coverage_vector: [U]; with `coverage`.
        block_size: Rows of queries per tile, 0 for no tiles, `None` to choose.

    Returns:
        [B, T, S], float32.

    Example:

    >>> import keras
    >>> query, key = keras.ops.ones((2, 5, 6)), keras.ops.ones((2, 7, 6))
    >>> tuple(additive_scores(query, key, keras.ops.ones((6,))).shape)
    (2, 5, 7)
    """
    query, key, vector = _float32(query, key, vector)
    covered = [] if coverage is None else _float32(coverage, coverage_vector)
    rows = choose_rows(query, key, key.shape[-1], block_size)

    @ops.custom_gradient
    def run(*inputs):
        query, key, vector, *covered = tensors(inputs)

        def gradient(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            d_query, d_key, d_vector = _scores_backward(query, _cover(key, *covered), vector, upstream, rows)
            if not covered:
                return d_query, d_key, d_vector
            coverage, coverage_vector = covered
            d_coverage = ops.matmul(d_key, coverage_vector[:, None])[..., 0]
            return d_query, d_key, d_vector, d_coverage, ops.sum(d_key * coverage[..., None], axis=(0, 1))

        return _scores_forward(query, _cover(key, *covered), vector, rows), gradient

    return run(query, key, vector, *covered)


def additive_attend(
    query,
    key,
    value,
    vector,
    *,
    mask=None,
    query_mask=None,
    key_mask=None,
    center=None,
    half_width=None,
    gaussian=True,
    renormalize=False,
    return_scores=False,
    block_size=None,
):
    r"""Additive attention, all at once or blockwise, with the same result.

    $$ \mathrm{softmax}_s(v^\top \tanh(q_t + k_s)) \, V $$

    as `additive_scores`, with the softmax and the mix in the same tiles: memory grows with T + S, for neither
    [B, T, S, U] nor [B, T, S] is held, forward or backward.

    Masking: a key is visible where `mask`, `query_mask`, `key_mask` and the window all agree. A query that may see
    nothing gets zeros. What stands at a position that `key_mask` or `query_mask` excludes, even NaN, changes nothing
    elsewhere, forward or backward.

    Args:
        query: [B, T, U].
        key: [B, S, U].
        value: [B, S, V].
        vector: [U].
        mask: Boolean or integer, true = visible: [T, S] or [B, T, S].
        query_mask: [B, T], true = real.
        key_mask: [B, S], true = real.
        center: [B, T], floating, or `None`: what `local_attend` does with it is done here, too.
        half_width, gaussian, renormalize: As for `local_attend`; with `center`.
        return_scores: Whether to return the weights too; needs [B, T, S], but not [B, T, S, U].
        block_size: Rows of queries per tile, 0 for no tiles, `None` to choose.

    Returns:
        context [B, T, V] of the dtype of `value`; with `return_scores`, `(context, weights [B, T, S])`.

    Example:

    >>> import keras
    >>> x = keras.ops.ones((2, 5, 4))
    >>> tuple(additive_attend(x, x, x, keras.ops.ones((4,))).shape)
    (2, 5, 4)
    """
    dtype, window = ops.convert_to_tensor(value).dtype, None
    if center is not None:
        window = Window(half_width, gaussian, renormalize)
    (query, key, value), masks = prepare(query, key, value, mask, query_mask, key_mask, center)
    [vector] = _float32(vector)
    if return_scores:
        scores = additive_scores(query, key, vector, block_size=block_size)
        context, weights = mix(scores, value, window=window, **masks)
        return ops.cast(context, dtype), ops.cast(weights, dtype)
    rest = {"width": key.shape[-1], "window": window, "block_size": block_size, **masks}
    return ops.cast(attend_pairs(query, key, value, additive, (vector,), **rest), dtype)


def additive(query, key, vector):
    """Scores [..., T, S] of [..., T, U] and [..., S, U], and a function from their gradient to those of all three."""
    hidden = ops.tanh(query[..., :, None, :] + key[..., None, :, :])
    flat = ops.reshape(hidden, (-1, key.shape[-1]))
    scores = ops.reshape(ops.matmul(flat, vector[:, None]), tuple(ops.shape(hidden)[:-1]))

    def pullback(d_scores):
        slope = d_scores[..., None] * (1.0 - ops.square(hidden))
        d_vector = ops.matmul(ops.reshape(d_scores, (1, -1)), flat)[0]
        return ops.sum(slope, axis=-2) * vector, ops.sum(slope, axis=-3) * vector, d_vector

    return scores, pullback


def _float32(*tensors):
    return [ops.cast(ops.convert_to_tensor(x), "float32") for x in tensors]


def _cover(key, coverage=None, coverage_vector=None):
    return key if coverage is None else key + coverage[..., None] * coverage_vector


def _scores_forward(query, key, vector, rows):
    if rows is None:
        return additive(query, key, vector)[0]
    S, U = ops.shape(key)[1], key.shape[-1]
    width = maximum(S, U)
    queries = ops.pad(rows.cut(query), [(0, 0), (0, 0), (0, 0), (0, width - U)])

    def at(b):
        keys = key[b]

        def tile(i, slot):
            scores = additive(slot[:, :U], keys, vector)[0]
            return ops.pad(scores, [(0, 0), (0, width - S)]), [], []

        return tile

    return rows.join(fold(queries, [], [], at)[0])[..., :S]


def _scores_backward(query, key, vector, upstream, rows):
    if rows is None:
        return additive(query, key, vector)[1](upstream)
    upstream = rows.cut(upstream)

    def at(b):
        keys, rising = key[b], upstream[b]

        def tile(i, slot):
            d_query, d_key, d_vector = additive(slot, keys, vector)[1](rising[i])
            return d_query, [d_key], [d_vector]

        return tile

    slots, [d_key], [d_vector] = fold(rows.cut(query), [ops.zeros_like(key)], [ops.zeros_like(vector)], at)
    return rows.join(slots), d_key, d_vector
