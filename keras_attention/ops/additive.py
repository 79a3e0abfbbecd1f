"""Additive attention: a small network scores each pair of query and key; its hidden layer is never held whole.

    hidden: [B, T, S, U] = tanh(query [B, T, 1, U] + key [B, 1, S, U])
    scores: [B, T, S]    = hidden . vector

`hidden` has U times as many numbers as the scores. It is made a tile at a time, and once more in the backward pass.
"""

from keras import ops

from keras_attention.ops.rows import choose_rows, fold


def additive_scores(query, key, vector, *, coverage=None, coverage_vector=None, block_size=None):
    r"""Scores of additive attention for queries and keys that are already projected.

    $$ e_{ts} = v^\top \tanh(q_t + k_s + w c_s) $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate", appendix A.1.2
    ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)), with q = W_a s and k = U_a h; the last term, if there is
    any, as in "Get To The Point", eq. 11 ([See et al., 2017](https://arxiv.org/abs/1704.04368)). Written out, with B batch,
    T queries, S keys, U units:

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
    def run(query, key, vector, *covered):
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
    width = ops.maximum(S, U) if not isinstance(S, int) else max(S, U)
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
