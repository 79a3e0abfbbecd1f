"""Attention scores of any `keras.Model`, without changing it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.ops.paths.chosen_queries import require_queries, take_rows
from keras_attention.ops.require import is_int
from keras_attention.types import Nest
from keras_attention.visualize.reading import ARGUMENT, choose_layers, read, takes

QUERIES = "score_queries"


def attention_scores(
    model: keras.Layer,
    inputs: Nest,
    *,
    layers: str | Sequence[str] | None = None,
    heads: Sequence[int] | np.ndarray | None = None,
    queries: Sequence[int] | np.ndarray | None = None,
    **kwargs: Any,
) -> dict[str, np.ndarray]:
    """Returns attention scores of a model, from one eager call: all, or those of chosen layers, heads and queries.

        scores[path]: [B, N, T, S]    one entry per call of an attention layer, in the order of the calls

    An attention layer is one whose `call` takes `return_attention_scores` (`keras.layers.MultiHeadAttention`, those of
    this library, your own). Of nested ones, only the innermost are included. The model may be functional,
    `Sequential`, subclassed or nested; it is not rebuilt and not changed, also after an error.

    With `return_attention_scores`, a layer of Keras may compute its output differently (zeros instead of the mean of
    the values for a fully masked query). The layers of this library do not.

    All scores take `B * N * T * S` numbers per layer. With `queries`, a layer whose `call` takes `score_queries`
    computes those rows alone, and its output on the same path as ever: memory stays linear in the length. In this
    library these are `MultiHeadAttention`, `ScaledDotProductAttention`, `LocalAttention1D`, `LocalAttention2D`,
    `NonLocalBlock` and `SelfAttention2D`, also inside of the Transformer blocks. Of any other layer, such as
    `keras.layers.MultiHeadAttention`, whose public arguments ask for all scores or none, all are computed and the rows
    are cut out. Scores of layers that are not chosen are not computed.

    Args:
        model: `keras.Model` or any `keras.Layer` that contains attention layers, or is one. Built if necessary.
        inputs: Inputs of the model: an array, or a list, tuple or dict of arrays.
        layers: Path, or list of paths, as in the result: of layers, or of what contains them, such as `"decoder"`.
            `None`: all layers.
        heads: List of ints, the heads to return, negative ones from the last. `None`: all.
        queries: List of ints, the positions of the queries to return, negative ones from the last: rows of the scores.
            Over several axes, such as those of an image, they count along the flattened axes. `None`: all.
        **kwargs: Further arguments of the call, such as `training` or `attention_mask`.

    Returns:
        Dict from the path of a layer (the names of the layers around it and its own, as in
        `"decoder/block_1/cross_attention"`) to its scores, a NumPy array. From the second call of a layer on, the path
        ends in `:1`, `:2` and so on.

    Raises:
        ValueError: If `model` is not a Keras model or layer, no attention layer was called, one was called inside a
            loop that the backend compiles, where its scores cannot be read, a path of `layers` is unknown, or a chosen
            layer has not these `heads` or `queries`.

    Example:

    >>> import numpy as np
    >>> x = keras.Input((None, 8))
    >>> model = keras.Model(x, keras.layers.MultiHeadAttention(2, 4, name="look")(x, x))
    >>> scores = attention_scores(model, np.ones((1, 5, 8)))
    >>> {path: array.shape for path, array in scores.items()}
    {'look': (1, 2, 5, 5)}
    >>> attention_scores(model, np.ones((1, 5, 8)), layers="look", heads=[-1], queries=[0, 3])["look"].shape
    (1, 1, 2, 5)
    """
    heads, queries = _require_ints(heads, "heads"), _require_ints(queries, "queries")

    def arguments(layer):
        return {} if queries is None or not takes(layer, QUERIES) else {QUERIES: queries}

    def take(layer, path, scores):
        scores = scores if queries is None or takes(layer, QUERIES) else _rows(layer, path, scores, queries)
        return scores if heads is None else _heads(layer, path, scores, heads)

    scores = read(model, inputs, kwargs, lambda found: choose_layers(found, layers), take, arguments)
    if not scores:
        raise ValueError(
            f"No layer whose `call` takes `{ARGUMENT}` took part in the call of `model`. "
            f"Received: model={model.name} ({type(model).__name__}), layers={layers}"
        )
    return scores


def _require_ints(values, name):
    if values is None:
        return None
    if not hasattr(values, "__len__") or not len(values) or not all(is_int(value) for value in values):
        raise ValueError(f"`{name}` must be a list of one or more ints, or `None`. Received: {name}={values!r}")
    return [int(value) for value in values]


def _rows(layer, path, scores, queries):
    """Rows of all scores, [B, N, T, S] or [B, T, S]."""
    rank = None if isinstance(scores, dict | list | tuple) else len(scores.shape)
    if hasattr(layer, "shared_axes") or not (rank == 3 or (rank == 4 and _number_of_heads(layer) == scores.shape[1])):
        raise ValueError(
            f"`queries` must be those of layers with scores [B, N, T, S], N being their `num_heads`, or [B, T, S]: "
            f"choose `layers`. Received: scores of `{path}` of shape {_shapes(scores)}"
        )
    try:
        return take_rows(scores, require_queries(queries, [scores.shape[-2]]), rank - 2)
    except ValueError as error:
        raise ValueError(f"`queries` do not fit `{path}`. {error}") from error


def _heads(layer, path, scores, heads):
    """Scores of these heads, [B, N, ...]."""
    N = _number_of_heads(layer)
    shape = () if isinstance(scores, dict | list | tuple) else tuple(scores.shape)
    # Otherwise, axes that are not attended lie before the heads.
    first = len(shape) == 4 or (takes(layer, QUERIES) and getattr(layer, "attention_axes", None) is None)
    if N is None or not first or shape[1:2] != (N,) or not all(-N <= head < N for head in heads):
        raise ValueError(
            "`heads` must be from -N to N - 1, of layers with scores [B, N, T, S], N being their `num_heads`: choose "
            f"`layers`. Received: heads={heads}, and scores of `{path}` of shape {_shapes(scores)}"
        )
    return ops.take(scores, [head % N for head in heads], axis=1)


def _number_of_heads(layer):
    return getattr(layer, "num_heads", getattr(layer, "num_query_heads", None))


def _shapes(scores):
    return keras.tree.map_structure(lambda x: tuple(x.shape), scores)
