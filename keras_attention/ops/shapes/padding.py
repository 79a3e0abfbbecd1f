"""Padding: masked positions are zeroed before anything is computed from them."""

from keras import ops

from keras_attention.ops.masks import both, require_boolean


def zero_padding(x, mask):
    """Zeros where `mask` is false.

    A selection, not a product: NaN times zero is NaN. It goes before a projection, so that
    neither its output nor the gradient of its kernel depends on padding.

    Args:
        x: [B, *T, *features].
        mask: Boolean [B, *T] or with fewer axes, or `None`. True marks positions that take part.
    """
    if mask is None:
        return x
    while len(mask.shape) < len(x.shape):
        mask = ops.expand_dims(mask, -1)
    return ops.where(mask, x, 0)


def padding_masks(query_dims, key_dims, query_mask, value_mask, key_mask, attention_mask=None):
    """Combines the masks of a layer call into one padding mask for the queries and one for the keys.

    Args:
        query_dims, key_dims: [B, *T] and [B, *S], static or dynamic.
        query_mask: [B, *T] or `None`.
        value_mask, key_mask: [B, *S] or `None`; both must be true.
        attention_mask: [T, S], [B, T, S], [B, N, T, S] or `None`: queries that it allows no key and
            keys that it hides from all queries count as padding.

    Returns:
        Boolean [B, *T] and [B, *S], each `None` if nothing is padding.
    """
    queries = full_mask(query_mask, query_dims, "query_mask")
    keys = both(full_mask(value_mask, key_dims, "value_mask"), full_mask(key_mask, key_dims, "key_mask"))
    if attention_mask is not None:
        seeing, seen = seen_at_all(require_boolean(attention_mask))
        queries = both(queries, full_mask(seeing, query_dims))
        keys = both(keys, full_mask(seen, key_dims))
    return queries, keys


def full_mask(mask, dims, name="mask"):
    """Padding mask as a boolean tensor [B, *T]; missing axes are added at the end.

    Args:
        mask: Boolean or integer tensor, or `None`.
        dims: The dimensions [B, *T], static or dynamic.
        name: What the caller calls it, for the error.
    """
    mask = require_boolean(mask, name)
    if mask is None:
        return None
    if len(mask.shape) == len(dims) and all(d is not None and d != 1 for d in mask.shape):
        return mask
    while len(mask.shape) < len(dims):
        mask = ops.expand_dims(mask, -1)
    return ops.broadcast_to(mask, dims)


def seen_at_all(mask):
    """Queries that see any key, and keys that any query or head sees.

    Args:
        mask: Boolean attention mask [T, S], [B, T, S] or [B, N, T, S] (or 1 for any of them).

    Returns:
        queries: [B or 1, T or 1].
        keys: [B or 1, S or 1].
    """
    if len(mask.shape) == 2:
        mask = ops.expand_dims(mask, 0)
    if len(mask.shape) == 4:
        mask = ops.any(mask, axis=1)
    return ops.any(mask, axis=2), ops.any(mask, axis=1)
