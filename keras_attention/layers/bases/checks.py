"""Checks of masks, biases and lengths that name the argument. Work on symbolic tensors, too."""

import keras
import numpy as np

from keras_attention.ops.masks import refuse_float
from keras_attention.ops.require import is_int, require_ints
from keras_attention.ops.shapes.axes import scores_dims
from keras_attention.ops.shapes.known import known_values
from keras_attention.ops.shapes.sizes import may_equal

# Arguments of a call that are positions.
POSITIONS = ("start_index", "query_offset", "cache_index")


def require_batch_size(value):
    """Raises unless `value` is an int, 0 or more, or a scalar tensor."""
    tensor = not isinstance(value, np.generic) and len(getattr(value, "shape", (0,))) == 0
    if not tensor and not (is_int(value) and value >= 0):
        raise ValueError(f"`batch_size` must be an int, 0 or more, or a scalar tensor. Received: batch_size={value!r}")


def require_features(output_shape):
    """Returns `output_shape` as a tuple or `None`. The error begins with Keras's message, which callers match on."""
    try:
        return require_ints(output_shape, "output_shape", least=1)
    except ValueError as error:
        raise ValueError(f"Invalid `output_shape`: {error}") from None


def check_flags(**flags):
    """Raises if a boolean call argument is a string, which would always be true."""
    for name, value in flags.items():
        if isinstance(value, str | bytes | float):
            raise ValueError(f"The argument `{name}` must be `True` or `False`. Received: {name}={value!r}")


def check_positions(**positions):
    """Positions that a call is given are counted, and no truth values."""
    for name, value in positions.items():
        if any(isinstance(n, bool | np.bool_) for n in (value if isinstance(value, list | tuple) else [value])):
            raise ValueError(f"The argument `{name}` must be an int or an integer tensor. Received: {name}={value!r}")


def require_grid(shape, even=False):
    """Raises unless `shape` is [B, Y, X, D] with a known D, which is even if `even`."""
    if len(shape) != 4 or shape[-1] is None or (even and shape[-1] % 2):
        known = "a known and even D" if even else "a known D"
        raise ValueError(f"`inputs` must be [B, Y, X, D] with {known}. Received: inputs.shape={tuple(shape)}")


def check_visibility(masks, attention_mask, bias, heads, axes, query_dims, key_dims):
    """Raises unless every mask and the bias fit the queries and keys.

    Args:
        masks: {"query_mask": ..., "value_mask": ..., "key_mask": ...}.
        attention_mask, bias: Tensor or `None`.
        heads: Int, N.
        axes: The attended axes.
        query_dims, key_dims: [B, *T] and [B, *S], `None` where unknown.

    Returns:
        The dimensions of the scores, [B, *free, N, *T, *S].
    """
    for name, mask in masks.items():
        queries = name == "query_mask"
        check_padding(mask, name, query_dims if queries else key_dims, "the queries" if queries else "the keys")
    scores = scores_dims(heads, axes, query_dims, key_dims)
    check_attention_mask(attention_mask, scores, len(axes))
    check_bias(bias, scores)
    return scores


def check_padding(mask, name, dims, of):
    """Raises unless a padding mask has the shape [B, T] of its sequence.

    Args:
        mask: Tensor or `None`. Fewer axes than `dims` mean that whole slices are padding.
        name: The argument's name, for the error.
        dims: The sequence's dimensions without the features, `None` where unknown.
        of: Name of the sequence, for the error.
    """
    if mask is None:
        return
    refuse_float(mask.dtype, name)
    shape = tuple(mask.shape)
    fits = 2 <= len(shape) <= len(dims) and all(may_equal(a, b) for a, b in zip(shape[1:], dims[1:]))
    if not fits or not (shape[0] == 1 or may_equal(shape[0], dims[0])):
        raise ValueError(f"`{name}` must have the shape of {of}, {_show(dims)}. Received: {name}.shape={shape}")


def check_lengths(lengths, name, memory, of):
    """Raises unless lengths are integers [B], 0 or more where their values are known.

    Args:
        lengths: Tensor.
        name: The argument's name, for the error.
        memory: Shape of the memory, `None` where unknown.
        of: Name of the memory, for the error.
    """
    shape, dtype = tuple(lengths.shape), lengths.dtype
    fits = len(shape) == 1 and may_equal(shape[0], memory[0])
    if not fits or keras.backend.is_float_dtype(keras.backend.standardize_dtype(dtype)):
        raise ValueError(
            f"`{name}` must be integers [B], one for each entry of `{of}`. Received: {name}.shape={shape}, "
            f"{name}.dtype={dtype}, {of}.shape={tuple(memory)}"
        )
    values = known_values(lengths)
    if values is not None and (values < 0).any():
        raise ValueError(f"`{name}` must be 0 or more. Received: {name}={values.tolist()}")


def check_attention_mask(mask, scores, attended):
    """Raises unless an attention mask broadcasts to the scores, with queries and keys as its last axes.

    Args:
        mask: Tensor or `None`.
        scores: Dimensions of the scores, [B, *free, N, *query axes, *key axes].
        attended: Number of query axes (one, except for images).
    """
    if mask is None:
        return
    refuse_float(mask.dtype, "attention_mask")
    shape = tuple(mask.shape)
    least = 2 * attended
    if least <= len(shape) <= len(scores):
        batch = len(shape) - least
        wanted = (*scores[:batch], *scores[-least:])
        if all(a == 1 or may_equal(a, b) for a, b in zip(shape, wanted)):
            return
    ranks = "[T, S], [B, T, S] or [B, N, T, S]"
    if len(scores) > 4:
        ranks = (
            f"the query axes and then the key axes, {_show(scores[-least:])}, or these after leading axes of the scores"
        )
    hint = ""
    if len(shape) == 2:
        hint = " Padding goes into `value_mask` [B, S] and `query_mask` [B, T]."
    raise ValueError(
        f"`attention_mask` must be {ranks}, broadcastable to the scores {_show(scores)}.{hint} "
        f"Received: attention_mask.shape={shape}"
    )


def check_bias(bias, scores):
    """Raises unless an additive bias broadcasts to the scores, or is given by distance: [1, N, T+S-1].

    Args:
        bias: Tensor or `None`.
        scores: Dimensions of the scores, as in `check_attention_mask`.
    """
    if bias is None:
        return
    if keras.backend.standardize_dtype(bias.dtype) == "bool":
        raise ValueError(
            "`attention_bias` is added to the logits and must be a number. A boolean mask goes into `attention_mask`. "
            "Received: attention_bias.dtype=bool"
        )
    shape = tuple(bias.shape)
    if len(shape) == len(scores) and all(a == 1 or may_equal(a, b) for a, b in zip(shape, scores)):
        return
    B, N, T, S = (*scores, None, None)[:4]
    length = None if T is None or S is None or len(scores) > 4 else T + S - 1
    by_distance = len(shape) == 3 and all(a == 1 or may_equal(a, b) for a, b in zip(shape[:2], (B, N)))
    if by_distance and may_equal(shape[2], length):
        return
    raise ValueError(
        f"`attention_bias` must broadcast to the scores, {_show(scores)}, with as many axes; or be given by distance, "
        f"[1, N, T+S-1] = {_show((1, N, length))}. Received: attention_bias.shape={shape}"
    )


def check_sequences(query, value, key, axes):
    """Raises unless queries, values and keys have equal ranks and batch sizes, and keys and values equal lengths.

    Args:
        query, value, key: Shapes, `None` where unknown; `key` and `value` may be `None`.
        axes: The attended axes.
    """
    received = f"Received: query.shape={query}, value.shape={value}, key.shape={key}"
    if len(query) < 3 or query[-1] is None:
        raise ValueError(f"`query` must be [B, T, D] with a known D. Received: query.shape={query}")
    if not axes or sorted(set(axes)) != sorted(axes) or not all(0 < axis < len(query) - 1 for axis in axes):
        raise ValueError(
            f"`attention_axes` must be different axes between the batch and the features of `query`. "
            f"Received: attention_axes={axes}, query.shape={query}"
        )
    value = query if value is None else value
    key = value if key is None else key
    if not len(query) == len(value) == len(key):
        raise ValueError(f"The ranks of `query`, `value` and `key` must be equal. {received}")
    if not all(may_equal(a, b) for a, b in zip(value[:-1], key[:-1])):
        raise ValueError(f"The lengths (all axes but the last) of `value` and `key` must be equal. {received}")
    if not all(may_equal(query[i], value[i]) for i in range(len(query) - 1) if i not in axes):
        raise ValueError(f"The axes of `query` and `value` that are not attended must be equal. {received}")


def check_cache_arguments(memory, cache, index):
    """Raises if both a memory and a cache are given, or a cache without its index."""
    if memory is not None and cache is not None:
        raise ValueError("Keys come from a `memory` or from a `cache`. Received: both")
    if (cache is None) != (index is None):
        raise ValueError(
            "`cache` and `cache_index` go together (`make_cache(batch_size, max_length)` makes a cache; what "
            "`project_memory` returned is a `memory`). Received: "
            f"cache {'not given' if cache is None else 'given'}, cache_index={index}"
        )


def check_memory(memory, query, value, sizes):
    """Raises unless a projected memory is given without values and has `sizes`; see `_check_projected`."""
    if memory is None:
        return
    if value is not None:
        raise ValueError(
            "With a `memory`, keys and values come from it: pass `query` only. "
            f"Received: query.shape={tuple(query.shape)}, value.shape={tuple(value.shape)}"
        )
    _check_projected(memory, "memory", query, sizes)


def check_cache(cache, index, query, value, sizes):
    """Raises unless a cache has `sizes` and can hold the keys to write, as many as there are queries.

    Args:
        cache: Dict of tensors, or `None`.
        index: Position of the first: an int or a tensor.
        query: [B, T, D].
        value: `None`, or the T rows to write.
        sizes: See `_check_projected`.
    """
    if cache is None:
        return
    rows = query.shape[1]
    if value is not None and not may_equal(value.shape[1], rows):
        raise ValueError(
            "With a `cache`, keys and values come from it: pass `query` only, or as many values as queries. "
            f"Received: query.shape={tuple(query.shape)}, value.shape={tuple(value.shape)}"
        )
    _check_projected(cache, "cache", query, sizes)
    length = cache["key"].shape[2]
    if isinstance(index, int) and not (index >= 0 and (length is None or index + (rows or 1) <= length)):
        raise ValueError(
            f"The cache has room for positions 0 to {length} (exclusive). "
            f"Received: cache_index={index}, and {rows} rows to write"
        )


def _check_projected(projected, name, query, sizes):
    """Raises unless `projected` is {"key": [B, K, L, H], "value": [B, K, L, V]}, maybe with "mask": [B, L].

    `sizes`: K, H and V of the layer.
    """
    heads, *last = sizes
    if len(query.shape) != 3:
        raise ValueError(f"With a `{name}`, `query` must be [B, T, D]. Received: query.shape={tuple(query.shape)}")
    if not hasattr(projected, "keys") or set(projected.keys()) not in ({"key", "value"}, {"key", "value", "mask"}):
        raise ValueError(
            f"`{name}` must be a dict with a `key` and a `value` (`mask` optional). Received: {name}={projected!r}"
        )
    for part, size in zip(("key", "value"), last):
        shape = tuple(projected[part].shape)
        if len(shape) != 4 or not may_equal(shape[1], heads) or not may_equal(shape[3], size):
            raise ValueError(f"`{name}[{part!r}]` must be [B, {heads}, L, {size}]. Received: shape={shape}")
    if "mask" in projected:
        check_padding(projected["mask"], f"{name}['mask']", (None, projected["key"].shape[2]), f"the {name}")


def _show(dims):
    return "[" + ", ".join("?" if d is None else str(d) for d in dims) + "]"


def check_label(label, batch):
    """Raises unless `label` is [B] integers.

    Args:
        label: Tensor.
        batch: B, `None` where unknown.
    """
    shape = tuple(label.shape)
    fits = len(shape) == 1 and (batch is None or shape[0] in (None, batch))
    if not fits or not keras.backend.is_int_dtype(keras.backend.standardize_dtype(label.dtype)):
        raise ValueError(
            f"`label` must be integers [B] = [{'?' if batch is None else batch}]. "
            f"Received: label.shape={shape}, label.dtype={label.dtype}"
        )
