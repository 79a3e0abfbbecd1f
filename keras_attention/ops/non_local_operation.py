"""The four pairwise functions of non-local networks; a long input never holds all pairs."""

from keras import ops

from keras_attention.ops.attention import attend_unchecked
from keras_attention.ops.masks import require_boolean
from keras_attention.ops.pair_checks import check_pairs, check_tiling
from keras_attention.ops.paths.chosen_queries import require_queries, take_rows
from keras_attention.ops.paths.plan import device_kind, is_dense
from keras_attention.ops.precision import at_least_float32, itemsize
from keras_attention.ops.require import require_bool, require_choice, require_number
from keras_attention.ops.shapes.axes import swap_last
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.ops.shapes.sizes import either, maximum, product
from keras_attention.types import MaybeScores, Tensor

SOFTMAX = ("gaussian", "embedded_gaussian")
PAIRWISE = (*SOFTMAX, "dot_product", "concatenation")


def non_local(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    pairwise: str = "embedded_gaussian",
    *,
    vector: Tensor | None = None,
    scale: float | Tensor | None = 1.0,
    query_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    return_scores: bool = False,
    block_size: int | None = None,
    device: str | None = None,
    training: bool = True,
    score_queries: Tensor | None = None,
) -> MaybeScores:
    r"""Non-local operation: a sum over all positions, weighted by a pairwise function.

    $$ y_t = \frac{1}{\mathcal{C}} \sum_s f(q_t, k_s) \, v_s $$

    as in "Non-local Neural Networks", eqs. 1 to 5 ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)). Written
    out, with B batch, T queries, S keys, H and V features:

        "gaussian", "embedded_gaussian": scores [B, T, S] = softmax over S of query . key * scale
        "dot_product":                   scores [B, T, S] = query . key / S
        "concatenation":                 scores [B, T, S] = relu(vector[:H] . query + vector[H:] . key) / S
        context: [B, T, V] = scores . value

    Long inputs never hold [T, S], with the same result. The softmax is blockwise, as in `attend`. The dot product is
    linear in T + S: query . (key^T value). The concatenation takes sorting: with a = vector[:H] . query and
    b = vector[H:] . key, a query weighs the keys with b > -a, which are the first when sorted by falling b; the
    result needs the cumulative sums of value and of b * value up to there.

    Masking: a query that sees no key gets zeros. S counts keys that take part only. Values at masked positions, even
    NaN, have no effect elsewhere, forward or backward.

    Args:
        query: [B, T, H].
        key: [B, S, H].
        value: [B, S, V].
        pairwise: One of the names above; the first two are the same here.
        vector: [2 H], with `"concatenation"`.
        scale: Float, with the softmax; `None` means 1 / sqrt(H).
        query_mask: [B, T]. True marks positions that take part.
        key_mask: [B, S], alike.
        return_scores: Whether to return the scores too. Holds [B, T, S].
        block_size: 0: all pairs at once. An int: the softmax in blocks of that many queries, the others linear. `None`:
            by size and device.
        device: Kind of device to choose for, see `attend`.
        training: Whether this is part of a training step, see `attend`.
        score_queries: Integers [R]: the scores are those of these queries alone, [B, R, S], and no others are computed.
            Negative ones count from the last query.

    Returns:
        context [B, T, V] of the dtype of `value`; with `return_scores`, `(context, scores [B, T, S])`.

    Raises:
        ValueError: If `pairwise` is not one of the names, `vector` does not fit it, or a shape or an argument is wrong.

    Example:

    >>> import keras
    >>> x = keras.ops.ones((2, 5, 4))
    >>> tuple(non_local(x, x, x, "dot_product").shape)
    (2, 5, 4)
    """
    require_choice(pairwise, "pairwise", PAIRWISE)
    query, key, value = (ops.convert_to_tensor(x) for x in (query, key, value))
    query_mask, key_mask = require_boolean(query_mask, "query_mask"), require_boolean(key_mask, "key_mask")
    check_pairs(query, key, value, query_mask, key_mask)
    check_tiling(block_size, device)
    require_bool(return_scores, "return_scores")
    require_bool(training, "training")
    _check_function(pairwise, scale, vector, key.shape[-1])
    query, key, value = zero_padding(query, query_mask), zero_padding(key, key_mask), zero_padding(value, key_mask)
    chosen = require_queries(score_queries, query.shape[1:2])
    given = {"vector": vector, "scale": scale, "key_mask": key_mask}
    given |= {"block_size": block_size, "device": device, "training": training}
    if chosen is None or not return_scores:
        return _operate(query, key, value, pairwise, query_mask, return_scores, **given)
    context = _operate(query, key, value, pairwise, query_mask, False, **given)
    query, query_mask = take_rows(query, chosen, 1), take_rows(query_mask, chosen, 1)
    return context, _operate(query, key, value, pairwise, query_mask, True, **given)[1]


def _operate(query, key, value, pairwise, query_mask, return_scores, *, vector, scale, key_mask, **how):
    """The operation on tensors without padding; `how`: block_size, device, training."""
    if pairwise in SOFTMAX:
        how |= {"scale": scale, "query_mask": query_mask, "key_mask": key_mask, "return_scores": return_scores}
        result = attend_unchecked(*(ops.expand_dims(x, 2) for x in (query, key, value)), **how)
        return (result[0][:, :, 0], result[1][:, 0]) if return_scores else result[:, :, 0]
    dtype, device = value.dtype, device_kind(how["device"])
    query, key, value = at_least_float32(query, key, value)
    if pairwise == "concatenation":
        query, key = _apart(query, key, ops.cast(vector, query.dtype))
    function = {"dot_product": _DotProduct, "concatenation": _Concatenation}[pairwise](query, key, value, key_mask)
    if return_scores:
        scores = zero_padding(function.scores(), query_mask)
        return ops.cast(ops.matmul(scores, value), dtype), ops.cast(scores, dtype)
    small = function.is_small(device) if how["block_size"] is None else not how["block_size"]
    context = either(small, function.dense, lambda: function.linear(device), how["training"])
    return ops.cast(zero_padding(context, query_mask), dtype)


def _check_function(pairwise, scale, vector, size):
    require_number(None if ops.is_tensor(scale) else scale, "scale", optional=True)
    needed, given = pairwise == "concatenation", vector is not None
    if needed != given or (given and tuple(vector.shape) != (2 * size,)):
        raise ValueError(
            '`vector` must be [2 H] with pairwise="concatenation", and `None` otherwise. '
            f"Received: vector.shape={getattr(vector, 'shape', None)}, pairwise={pairwise!r}, H={size}"
        )


class _DotProduct:
    """f = query . key.

    Args:
        query, key, value: [B, T, H], [B, S, H], [B, S, V]; float32 or float64, zero where masked.
        key_mask: Boolean [B, S] or `None`.
    """

    def __init__(self, query, key, value, key_mask):
        self.query, self.key, self.value, self.key_mask = query, key, value, key_mask
        self.share = 1.0 / count(key, key_mask)

    def scores(self):
        return ops.matmul(self.query, swap_last(self.key)) * self.share

    def dense(self):
        return ops.matmul(self.scores(), self.value)

    def linear(self, device):
        return ops.matmul(self.query, ops.matmul(swap_last(self.key), self.value) * self.share)

    def is_small(self, device):
        """Whether all pairs cost no more than the products of features; they also take no more memory then."""
        T, S, H, V = ops.shape(self.query)[1], ops.shape(self.key)[1], self.key.shape[-1], self.value.shape[-1]
        return product(T, S) * (H + V) <= (product(T) + product(S)) * H * V


class _Concatenation(_DotProduct):
    """f = relu(query + key), of the projected queries [B, T, 1] and keys [B, S, 1]."""

    def scores(self):
        scores = ops.relu(self.query + swap_last(self.key)) * self.share
        return scores if self.key_mask is None else ops.where(ops.expand_dims(self.key_mask, 1), scores, 0.0)

    def linear(self, device):
        # Only query + key counts. With the keys' mean subtracted, the two large sums cancel less.
        mean = ops.stop_gradient(ops.sum(self.key, axis=1, keepdims=True) / count(self.key, None))
        query, key = self.query + mean, self.key - mean
        order = ops.argsort(ops.stop_gradient(-key[..., 0]), axis=1)
        sums = ops.concatenate([self.value, self.value * key], axis=-1) * self.share
        sums = ops.pad(ops.cumsum(_rows(sums, order, device), axis=1), ((0, 0), (1, 0), (0, 0)))
        seen = seen_keys(ops.stop_gradient(query[..., 0]), ops.stop_gradient(key[..., 0]), device)
        sums = _rows(sums, seen, device)
        V = self.value.shape[-1]
        return query * sums[..., :V] + sums[..., V:]

    def is_small(self, device):
        (B, T), S = ops.shape(self.query)[:2], ops.shape(self.key)[1]
        return is_dense(B, T, S, 1, device, itemsize(self.key))


def count(key, key_mask):
    """How many keys there are, in the dtype of the keys: a number, or [B, 1, 1]; at least 1."""
    if key_mask is None:
        return ops.cast(maximum(1, ops.shape(key)[1]), key.dtype)
    return ops.expand_dims(ops.maximum(ops.sum(ops.cast(key_mask, key.dtype), axis=1), 1.0), (1, 2))


def seen_keys(query, key, device="cpu"):
    """How many keys of each query have query + key > 0: [B, T] out of [B, T] and [B, S], by sorting alone."""
    T = ops.shape(query)[1]
    order = ops.argsort(ops.concatenate([query, -key], axis=1), axis=1)
    below = ops.cumsum(ops.cast(order >= T, "int32"), axis=1)
    rank = ops.argsort(order, axis=1)[:, :T]
    return _rows(ops.expand_dims(below, -1), rank, device)[..., 0]


def _apart(query, key, vector):
    """The two terms of vector . [query, key]: [B, T, 1] of the queries and [B, S, 1] of the keys."""
    H = query.shape[-1]
    return ops.matmul(query, ops.expand_dims(vector[:H], 1)), ops.matmul(key, ops.expand_dims(vector[H:], 1))


def _rows(x, index, device):
    """Rows `index` [B, T] of x [B, S, W], as [B, T, W].

    On accelerators of each batch entry by itself, so that the batch may be sharded.
    """
    B, S = ops.shape(x)[:2]
    index = ops.cast(index, "int32")
    if device != "cpu":
        index = ops.broadcast_to(ops.expand_dims(index, -1), (*ops.shape(index), x.shape[-1]))
        return ops.take_along_axis(x, index, axis=1)
    first = ops.expand_dims(ops.arange(B, dtype="int32"), 1) * S
    return ops.take(ops.reshape(x, (-1, x.shape[-1])), index + first, axis=0)
