"""Padding of token sequences."""

from keras import ops

from keras_attention.ops.require import is_int


def require_padding_id(padding_id):
    """Returns `padding_id`, an int or `None`."""
    if padding_id is None:
        return None
    if not is_int(padding_id):
        raise ValueError(
            f"`padding_id` must be an int, or None if all tokens count. Received: padding_id={padding_id!r}"
        )
    return int(padding_id)


def not_padding(tokens, padding_id):
    """Boolean mask of the shape of `tokens`: True where they are not `padding_id` (`None`: everywhere)."""
    if padding_id is None:
        return ops.ones_like(tokens, dtype="bool")
    return ops.not_equal(tokens, padding_id)
