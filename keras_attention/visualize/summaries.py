"""Numbers from attention scores: rollout and flow through the layers, entropy and distance of heads."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_attention.extras import install
from keras_attention.types import LayerScores

FLOW_UNIT = 2**30  # of capacities, which SciPy takes as int32


def rollout(scores: LayerScores, *, residual: float = 0.5) -> np.ndarray:
    """Attention rollout: how much each position of the output depends on each input position, through all layers.

        A_l = normalize(residual I + (1 - residual) mean_n scores_l[n])     R_l = A_l R_(l-1),   R_0 = I

    (Abnar & Zuidema, 2020, https://arxiv.org/abs/2005.00928, equation 1.) The identity stands for the residual
    connection around each layer; `normalize` divides each row by its sum. A query without a visible key keeps only
    itself.

        scores[l]: [B, N, T, T]    ->    [B, T, T]

    It assumes self-attention in every layer, and that the feed-forward networks do not mix positions.

    Args:
        scores: Dict or list of the scores of the layers from the first to the last, each [B, N, T, T] or [N, T, T]:
            `attention_scores(model, inputs)` of an encoder, say.
        residual: Float from 0 to 1, the part of the residual connection.

    Returns:
        NumPy array [B, T, T], or [T, T] without a batch: row t has the part of each input position in output t. Rows
        sum to 1, except of queries without a visible key if `residual` is 0.

    Raises:
        ValueError: If the scores are not those of self-attention over equally many positions, are negative, or
            `residual` is not from 0 to 1.

    Example:

    >>> first, second = np.array([[[0.0, 1.0], [0.0, 1.0]]]), np.array([[[1.0, 0.0], [0.5, 0.5]]])
    >>> rollout([first, second])
    array([[0.5  , 0.5  ],
           [0.125, 0.875]])
    """
    mixed, *above = _with_residual(scores, residual)
    for layer in above:
        mixed = layer @ mixed
    return mixed


def flow(scores: LayerScores, *, residual: float = 0.5) -> np.ndarray:
    """Attention flow: the maximum flow from each position of the output to each input position, through all layers.

        F[t, s] = max flow from (L, t) to (0, s)        capacity of (l, i) -> (l - 1, j): A_l[i, j], as in `rollout`

    (Abnar & Zuidema, 2020, https://arxiv.org/abs/2005.00928, section 3.) The graph has a node for each position after
    each layer. Where `rollout` multiplies the attention along a path, a path here carries at most its smallest one.
    Each entry is a flow of its own, and rows do not sum to 1.

        scores[l]: [B, N, T, T]    ->    [B, T, T]

    It solves `B T^2` flows with SciPy, exactly for capacities rounded to multiples of 2^-30. For 32 positions and six
    layers that takes about four seconds.

    Args:
        scores: Dict or list of the scores of the layers from the first to the last, each [B, N, T, T] or [N, T, T].
        residual: Float from 0 to 1, the part of the residual connection.

    Returns:
        NumPy array [B, T, T], or [T, T] without a batch, from 0 to 1.

    Raises:
        ImportError: If SciPy is not installed.
        ValueError: As `rollout`.

    Example:

    >>> first, second = np.array([[[0.0, 1.0], [0.0, 1.0]]]), np.array([[[1.0, 0.0], [0.5, 0.5]]])
    >>> flow([first, second])
    array([[0.5 , 0.5 ],
           [0.25, 1.  ]])
    """
    layers = np.stack(_with_residual(scores, residual))
    *batch, T, _ = layers.shape[1:]
    samples = layers.reshape(len(layers), -1, T, T).swapaxes(0, 1)
    return np.array([_maximum_flows(sample) for sample in samples]).reshape(*batch, T, T)


def _maximum_flows(layers):
    """Layers [L, T, T] of one sample, the first one first, to flows [T, T]."""
    try:
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import maximum_flow
    except ImportError as error:
        raise ImportError(f"`flow` needs SciPy: {install('visualize')}") from error
    L, T, _ = layers.shape
    capacities = np.zeros((L + 1, T, L + 1, T), "int32")
    for number, layer in enumerate(layers):
        capacities[number + 1, :, number] = np.rint(layer * FLOW_UNIT)
    graph = csr_array(capacities.reshape((L + 1) * T, (L + 1) * T))
    flows = [[maximum_flow(graph, L * T + t, s).flow_value for s in range(T)] for t in range(T)]
    return np.array(flows) / FLOW_UNIT


def _with_residual(scores, residual):
    """Means over heads [..., T, T] of the layers, with the part of the residual connection; rows sum to 1."""
    layers = [_require_scores(layer) for layer in (scores.values() if isinstance(scores, dict) else scores)]
    shapes = [layer.shape for layer in layers]
    # Heads may differ between layers.
    if len({shape[:-3] + shape[-2:] for shape in shapes}) != 1 or shapes[0][-1] != shapes[0][-2]:
        raise ValueError(
            "`scores` must be those of self-attention layers, [B, N, T, T] or [N, T, T], with one B and one T. "
            f"Received: shapes {shapes}"
        )
    if not 0 <= residual <= 1:
        raise ValueError(f"`residual` must be from 0 to 1. Received: residual={residual}")
    itself = np.eye(shapes[0][-1])
    return [_normalized(residual * itself + (1 - residual) * layer.mean(axis=-3)) for layer in layers]


def head_entropy(scores: ArrayLike, *, query_mask: ArrayLike | None = None) -> np.ndarray:
    """Mean entropy of the attention of each head, in nats.

        H[n] = mean_t -sum_s p[n, t, s] log p[n, t, s]        p = scores / sum_s scores

    0: every query attends to one key; `log(S)`: all keys get equal scores. Scores of 0 add nothing, so hidden keys do
    not count; queries without a visible key are left out.

        scores: [B, N, T, S]    ->    [B, N]

    Args:
        scores: Array [B, N, T, S] or [N, T, S].
        query_mask: Boolean or integer array [B, T] or [T]: True marks positions that take part; others are left out of
            the mean.

    Returns:
        NumPy array [B, N] or [N]; NaN where no query takes part.

    Raises:
        ValueError: If a shape is wrong, or a score negative.

    Example:

    >>> scores = np.array([[[1.0, 0.0], [0.5, 0.5]]])
    >>> head_entropy(scores).round(4)
    array([0.3466])
    """
    probs = _normalized(_require_scores(scores))
    logs = np.log(probs, out=np.zeros_like(probs), where=probs > 0)
    return _mean_over_queries(-np.sum(probs * logs, axis=-1), probs, query_mask)


def mean_distance(
    scores: ArrayLike, *, query_mask: ArrayLike | None = None, grid: Sequence[int] | None = None
) -> np.ndarray:
    """Mean distance between a query and the keys that it attends to, for each head.

        d[n] = mean_t sum_s p[n, t, s] |t - s|        p = scores / sum_s scores

    With `grid`, positions are those of an image, row by row, and the distance is Euclidean, in patches (Dosovitskiy et
    al., 2021, https://arxiv.org/abs/2010.11929, figure 7). Queries without a visible key are left out.

        scores: [B, N, T, S]    ->    [B, N]

    Args:
        scores: Array [B, N, T, S] or [N, T, S].
        query_mask: Boolean or integer array [B, T] or [T]: True marks positions that take part; others are left out of
            the mean.
        grid: Pair (Y, X) with `Y * X == T == S`, or `None` for a sequence, whose queries and keys count from 0.

    Returns:
        NumPy array [B, N] or [N], in positions; NaN where no query takes part.

    Raises:
        ValueError: If a shape is wrong, or a score negative.

    Example:

    >>> scores = np.eye(6)[[1, 0, 3, 2, 5, 4]].reshape(1, 6, 6)
    >>> mean_distance(scores), mean_distance(scores, grid=(2, 3)).round(3)
    (array([1.]), array([1.412]))
    """
    probs = _normalized(_require_scores(scores))
    T, S = probs.shape[-2:]
    if grid is None:
        distance = np.abs(np.arange(T).reshape(T, 1) - np.arange(S))
    elif T == S == np.prod(grid) and len(grid) == 2:
        positions = np.indices(grid).reshape(2, T, 1)
        distance = np.sqrt(np.sum((positions - positions.reshape(2, 1, T)) ** 2, axis=0))
    else:
        raise ValueError(f"`grid` must be (Y, X) with Y * X == T == S. Received: grid={grid}, T={T}, S={S}")
    return _mean_over_queries(np.sum(probs * distance, axis=-1), probs, query_mask)


def _require_scores(scores):
    scores = np.asarray(scores, "float64")
    if scores.ndim not in (3, 4):
        raise ValueError(f"`scores` must be [B, N, T, S] or [N, T, S]. Received: scores.shape={scores.shape}")
    if not (scores >= 0).all():
        raise ValueError(f"`scores` must be probabilities, at least 0. Received: a minimum of {scores.min()}")
    return scores


def _normalized(scores):
    """Divides rows by their sums, if these are not 0."""
    sums = scores.sum(axis=-1, keepdims=True)
    return np.divide(scores, sums, out=np.zeros_like(scores), where=sums > 0)


def _mean_over_queries(values, probs, query_mask):
    """values [..., N, T] -> [..., N], over queries that see a key and take part."""
    takes_part = probs.any(axis=-1)
    if query_mask is not None:
        expected = values.shape[:-2] + values.shape[-1:]
        query_mask = np.asarray(query_mask)
        if query_mask.shape != expected or query_mask.dtype.kind not in "biu":
            raise ValueError(
                f"`query_mask` must be boolean or integer, of shape {expected}. "
                f"Received: query_mask.shape={query_mask.shape}, query_mask.dtype={query_mask.dtype}"
            )
        takes_part = takes_part & np.expand_dims(query_mask.astype(bool), -2)
    count = takes_part.sum(axis=-1)
    total = np.sum(values, axis=-1, where=takes_part)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
